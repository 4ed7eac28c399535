"""The server under callers that are slow, endless, silent, or simply many."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from contracts import listener
from contracts.settings import SettingsError

HEAD = b"GET / HTTP/1.1\r\nhost: x\r\n"
WHOLE = HEAD + b"\r\n"
POST = b"POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Says ok; reads the body at /read; answers 64 MiB at /long."""
    while scope["path"] == "/read":
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        if not message.get("more_body"):
            break
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for _ in range(64 if scope["path"] == "/long" else 0):
        await send({"type": "http.response.body", "body": b"x" * 2**20, "more_body": True})
    await send({"type": "http.response.body", "body": b"ok"})


class Served:
    """A server in this process: its port and its connections."""

    def __init__(self, server: listener.Server, port: int) -> None:
        self.server, self.port = server, port

    @property
    def connections(self) -> int:
        """How many it has."""
        return len(self.server.server_state.connections)

    @contextmanager
    def call(self, *sent: bytes) -> Iterator[socket.socket]:
        """A connection on which these bytes were sent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            for part in sent:
                connection.sendall(part)
            yield connection


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server whose times are short."""
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "SEND_SECONDS", "CLOSE_SECONDS"):
        monkeypatch.setattr(listener, name, 0.5)
    monkeypatch.setattr(listener, "_SWEEP_SECONDS", 0.05)
    with running() as made:
        yield made


@contextmanager
def running() -> Iterator[Served]:
    bound = listener.listen("127.0.0.1", 0, "KEY")
    server = listener.Server(app, lifespan="off", timeout_graceful_shutdown=1)
    thread = threading.Thread(target=server.run, args=([bound],))
    thread.start()
    until(lambda: server.started)
    try:
        yield Served(server, bound.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "it ends, whoever is connected"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def rest(connection: socket.socket) -> bytes:
    """All that is answered until the server closes."""
    answer = b""
    try:
        while part := connection.recv(2**16):
            answer += part
    except ConnectionResetError:
        pass
    return answer


def refusal(answer: bytes) -> tuple[int, str]:
    """Status and code of a refusal."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["code"]


def trickle(connection: socket.socket, part: bytes) -> bytes:
    """Send the part again and again until the server has had enough; what it answered."""
    deadline = time.monotonic() + 20
    connection.settimeout(0.05)
    answer = b""
    while time.monotonic() < deadline:
        try:
            connection.sendall(part)
            got = connection.recv(2**16)
            answer += got
            if not got:
                return answer
        except TimeoutError:
            continue
        except OSError:
            return answer
    raise AssertionError("it waits for ever")


def test_who_sends_nothing_is_let_go_without_a_word(served: Served) -> None:
    with served.call() as connection:
        assert rest(connection) == b""
    with served.call(b"\r\n") as connection:
        assert rest(connection) == b""


@pytest.mark.troubleshooting("request_timeout")
@pytest.mark.parametrize(
    ("sent", "part"),
    [
        (b"G", b""),
        (HEAD, b""),
        (HEAD + b"a: ", b"b"),
        (HEAD, b"a: b\r\n"),
        (POST, b""),
        (POST.replace(b"5", b"5000"), b"x"),
        (POST.replace(b"content-length: 5", b"transfer-encoding: chunked"), b"1\r\nx\r\n"),
    ],
    ids=["a letter", "half a head", "a value", "headers", "no body", "a body", "chunks"],
)
def test_a_request_has_its_time_however_it_trickles(
    served: Served, sent: bytes, part: bytes
) -> None:
    with served.call(sent) as connection:
        answer = trickle(connection, part) if part else rest(connection)
    assert refusal(answer) == (408, "request_timeout")
    until(lambda: served.connections == 0)


def test_line_ends_between_two_requests_do_not_hold_a_connection(served: Served) -> None:
    with served.call(WHOLE) as connection:
        assert b"200 OK" in trickle(connection, b"\r\n")
    until(lambda: served.connections == 0)


@pytest.mark.parametrize("endless", [b"a: " + b"b" * 8192, b"b" * 8192, b"a: b\r\n" * 1000])
def test_an_endless_head_is_refused(served: Served, endless: bytes) -> None:
    with served.call(HEAD + b"x: ") as connection:
        answer = trickle(connection, endless)
    assert refusal(answer) == (431, "head_too_long")


def test_an_endless_body_that_nobody_reads_ends(served: Served) -> None:
    head = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    with served.call(head) as connection:
        assert b"200 OK" in trickle(connection, b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
    until(lambda: served.connections == 0)


def test_who_reads_nothing_is_let_go(served: Served) -> None:
    with served.call(b"GET /long HTTP/1.1\r\nhost: x\r\n\r\n"):
        until(lambda: served.connections == 1)
        until(lambda: served.connections == 0)
    with served.call(*[WHOLE] * 3000):
        until(lambda: served.connections == 0)


def test_what_is_no_http_is_refused_in_the_form_of_all_refusals(served: Served) -> None:
    with served.call(b"\x16\x03\x01\x02\x00\x01\xff\r\n\r\n") as connection:
        assert refusal(rest(connection)) == (400, "malformed_request")


def test_where_all_places_are_taken_the_longest_waiting_makes_room(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "HEAD_SECONDS", 60.0)
    monkeypatch.setattr(listener, "most_connections", lambda: 20)
    held = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(60)]
    for connection in held[::2]:
        connection.sendall(HEAD)
    until(lambda: served.connections <= 20)
    with served.call(WHOLE) as connection:
        assert connection.recv(2**16).startswith(b"HTTP/1.1 200")
    for connection in held:
        connection.close()


@effort(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_requests_in_any_pieces_are_all_answered(served: Served, data: st.DataObject) -> None:
    kinds = [WHOLE, POST + b"12345", b"\r\n" + WHOLE, POST.replace(b"5\r", b"0\r")]
    asked = data.draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=6))
    text = b"".join(asked)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    answers = b""
    with served.call() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        while answers.count(b"\r\n0\r\n\r\n") < len(asked):
            part = connection.recv(2**16)
            assert part, answers
            answers += part
    assert answers.count(b"HTTP/1.1 200 OK") == len(asked)


def test_a_port_that_cannot_be_had_names_its_setting() -> None:
    with listener.listen("127.0.0.1", 0, "KEY") as taken:
        for port in (taken.getsockname()[1], 99_999):
            with pytest.raises(SettingsError, match="KEY"):
                listener.listen("127.0.0.1", port, "KEY")
