"""What nobody would send on purpose: schemathesis over the OpenAPI document, endless bodies."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from market import FLAT, Market
from predictor import Start, wait_for

from contracts.store import Store

pytestmark = pytest.mark.integration

KEY = "fuzz-key-0123456789"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance"
CHECKS += ",response_schema_conformance,ignored_auth"


def test_no_call_that_the_document_allows_or_forbids_is_a_fault_of_ours(
    store: Store, market: Market, start: Start, tmp_path: Path
) -> None:
    market.crown(store, FLAT, 1)
    predictor = start(api_keys=f"fuzz:{KEY}")
    wait_for(lambda: predictor.ready)
    command = [str(Path(sys.executable).parent / "schemathesis"), "run"]
    command += [f"{predictor.url}/openapi.json", "--checks", CHECKS, "--mode", "all"]
    command += ["--max-examples", "40", "--seed", "7", "--phases", "examples,coverage,fuzzing"]
    command += ["--header", f"X-API-Key: {KEY}", "--generation-database", "none"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    assert "internal_error" not in done.stdout
    assert "request failed" not in predictor.log.read_text(), "no fault was logged"


def test_an_endless_body_is_refused_on_its_way(store: Store, market: Market, start: Start) -> None:
    market.crown(store, FLAT, 1)
    predictor = start()
    wait_for(lambda: predictor.ready)
    port = int(predictor.url.rsplit(":", 1)[1])
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head)
        for _ in range(5):  # A fifth of it is over the cap; the last chunk is never sent.
            connection.sendall(chunk)
        answer = b""
        while not answer.endswith(b"}"):
            answer += connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 413 ") and b"body_too_long" in answer
