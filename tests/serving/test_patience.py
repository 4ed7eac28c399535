"""What the predictor says and does while what it needs, or who asks it, hangs."""

import random
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from market import FLAT, Market
from mortal import Mortal
from predictor import Predictor, Start, wait_for

from contracts.store import Store

pytestmark = pytest.mark.integration

EARLIER = "/predict/SIM001?as_of=2025-06-28T12:00:00Z"


def crowned(store: Store, market: Market, predictor: Predictor) -> None:
    store.migrate()
    market.crown(store, FLAT, 1)
    wait_for(lambda: predictor.ready)


def code(predictor: Predictor, path: str) -> tuple[int, str]:
    answer = httpx.get(predictor.url + path, timeout=30)
    return answer.status_code, answer.json().get("code", "")


def port(predictor: Predictor) -> int:
    return int(predictor.url.rsplit(":", 1)[1])


@pytest.mark.troubleshooting("database_unavailable")
@pytest.mark.parametrize("held", [0, pytest.param(90, marks=pytest.mark.slow)])
def test_a_database_that_hangs_is_told_within_thirty_seconds_and_blocks_nobody(
    mortal: Mortal, market: Market, start: Start, held: float
) -> None:
    store = mortal(True)
    predictor = start()
    crowned(store, market, predictor)
    assert code(predictor, EARLIER) == (200, "")
    mortal.hang(True)
    over = time.monotonic() + held
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(code, predictor, EARLIER) for _ in range(12)]
        wait_for(lambda: not predictor.ready, 30)
        assert {call.result() for call in asked} == {(503, "database_unavailable")}
    assert code(predictor, "/health/ready") == (503, "database_unavailable")
    assert "finpulse_serving_database_up 0.0" in httpx.get(f"{predictor.url}/metrics").text
    began = time.monotonic()
    assert [code(predictor, EARLIER) for _ in range(8)] == [(503, "database_unavailable")] * 8
    assert time.monotonic() - began < 8, "what is known to be away is not waited for"
    assert code(predictor, "/predict/SIM001") == (200, "")
    assert code(predictor, "/health/live") == (200, "")
    made = 1
    while time.monotonic() < over:
        assert code(predictor, "/predict/SIM001") == (200, "")
        made += 1
        assert code(predictor, "/health/ready") == (503, "database_unavailable")
        time.sleep(1)
    mortal.hang(False)
    wait_for(lambda: predictor.ready)
    assert code(predictor, EARLIER) == (200, "")
    # The calls that were answered meanwhile have waited for their table.
    answered = "SELECT FROM requests WHERE route = '/predict/{symbol}' AND status = 200"
    wait_for(lambda: store.query(answered).num_rows > made)


@pytest.mark.parametrize("workers", [1, 2])
def test_it_ends_within_its_grace_while_the_database_hangs(
    mortal: Mortal, market: Market, start: Start, workers: int
) -> None:
    store = mortal(True)
    predictor = start(workers=workers)
    crowned(store, market, predictor)
    mortal.hang(True)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(predictor.status, EARLIER) for _ in range(8)]
        time.sleep(0.5)
        predictor.process.send_signal(signal.SIGTERM)
        assert predictor.process.wait(20) in (0, -signal.SIGTERM)
        assert all(call.result() in (0, 503) for call in asked)


def test_it_ends_before_its_first_look_too(mortal: Mortal, start: Start) -> None:
    mortal(True)
    mortal.hang(True)
    predictor = start()
    wait_for(predictor.log.exists)
    time.sleep(3)
    predictor.process.send_signal(signal.SIGTERM)
    assert predictor.process.wait(20) in (0, -signal.SIGTERM)


@pytest.mark.parametrize("sent", [b"", b"POST /predict HTTP/1.1\r\nhost: x\r\n"])
def test_half_open_requests_up_to_the_last_descriptor_leave_room_for_others(
    store: Store, market: Market, start: Start, sent: bytes
) -> None:
    market.crown(store, FLAT, 1)
    predictor = start(descriptors=256)
    wait_for(lambda: predictor.ready)
    held = []
    for _ in range(400):
        connection = socket.create_connection(("127.0.0.1", port(predictor)), timeout=20)
        connection.sendall(sent)
        held.append(connection)
    for path in ("/health/live", "/predict/SIM001", EARLIER, "/health/ready", "/metrics") * 3:
        assert predictor.status(path) == 200
    for connection in held:
        connection.close()


def test_an_endless_header_is_cut_off_while_others_are_answered(
    store: Store, market: Market, start: Start
) -> None:
    market.crown(store, FLAT, 1)
    predictor = start()
    wait_for(lambda: predictor.ready)
    with socket.create_connection(("127.0.0.1", port(predictor)), timeout=20) as connection:
        connection.sendall(b"GET /assets HTTP/1.1\r\nx: ")
        sent = 0
        try:
            while sent < 150 * 2**20:
                sent += connection.send(b"y" * 2**16)
        except OSError:
            pass
        assert sent < 16 * 2**20
        assert predictor.status("/health/live") == 200


def test_a_caller_who_leaves_anywhere_is_no_fault_of_ours(
    store: Store, market: Market, start: Start
) -> None:
    market.crown(store, FLAT, 1)
    predictor = start()
    wait_for(lambda: predictor.ready)
    body = b'{"symbols": ["SIM001", "SIM002"], "as_of": "2025-06-28T12:00:00Z"}'
    draw, lengths = random.Random(7), b"content-length: %d\r\n" % len(body)
    chunks = b"transfer-encoding: chunked\r\n"
    for method in (b"POST", b"GET", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"PATCH"):
        for size, told in ((lengths, body), (chunks, b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))):
            whole = method + b" /predict HTTP/1.1\r\nhost: x\r\n" + size + b"\r\n" + told
            for cut in sorted(draw.sample(range(1, len(whole)), 12)):
                address = ("127.0.0.1", port(predictor))
                with socket.create_connection(address, timeout=20) as connection:
                    connection.sendall(whole[:cut])
                    if cut % 2:  # With a reset in place of an end.
                        linger = (1).to_bytes(4, "little") + bytes(4)
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    wait_for(lambda: predictor.status("/health/live") == 200)
    text = httpx.get(f"{predictor.url}/metrics").text
    assert 'route="/predict",status="499"' in text
    assert 'status="5' not in text and 'status="0"' not in text
    assert "Traceback" not in predictor.log.read_text()
