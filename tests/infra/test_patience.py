"""Programs under a real supervisord that answer late, not at all, or have gone."""

import os
import signal
import sys
from collections.abc import Callable, Iterator

import down
import httpx
import patience as waiting
import ports
import postgres
import pytest
from patience import Patience
from processes import MARK
from programs import Program
from stack import Stack, StackError, asked_settings
from supervise import Supervisor

pytestmark = pytest.mark.integration

# A server that first works for a while on all the processor it gets, and answers nobody meanwhile.
BUSY = """
import sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[3])); self.end_headers(); self.wfile.write(b"here")
server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Server)
while time.process_time() < float(sys.argv[2]):
    pass
print("at your service", flush=True)
server.serve_forever()
"""


class Service:
    """One such server, and a caller with little patience of its own."""

    def __init__(self, supervisor: Supervisor, port: int) -> None:
        self.supervisor, self.url = supervisor, f"http://127.0.0.1:{port}"
        self.said: list[str] = []
        self.patience = Patience(supervisor, self.said.append, seconds=3)

    def call(self) -> str:
        return httpx.get(self.url, timeout=1).raise_for_status().text


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Service]]:
    """Starts the server with so many seconds of work before it; it ends with the test."""
    for name in ports.NAMES:
        monkeypatch.setenv(f"FINPULSE_{name.upper()}", str(postgres.free_port()))
    monkeypatch.setattr(waiting, "REMIND", 1.0)
    stack = Stack.of(asked_settings())

    def started(work: float, status: int = 200) -> Service:
        port = postgres.free_port()
        supervisor = Supervisor(stack.home)
        script = stack.home / "busy.py"
        script.write_text(BUSY)
        command = (sys.executable, str(script), str(port), str(work), str(status))
        supervisor.apply(stack, [Program("busy", command, {MARK: str(stack.home)})])
        supervisor.start("busy")
        return Service(supervisor, port)

    yield started
    assert down.stop(stack.home) == []


@pytest.mark.troubleshooting("waiting for ... since ...; its log:")
def test_one_that_works_is_waited_for_beyond_the_limit_and_named_meanwhile(
    service: Callable[..., Service],
) -> None:
    busy = service(work=5)
    assert busy.patience.ask("busy", busy.call) == "here"
    log = busy.supervisor.home / "logs" / "busy.log"
    assert len(busy.said) >= 2
    told = "waiting for busy since"
    assert all(told in line and f"; its log: {log}" in line for line in busy.said)


@pytest.mark.troubleshooting("neither answers ... nor works")
def test_one_that_neither_answers_nor_works_is_named_with_its_log(
    service: Callable[..., Service],
) -> None:
    busy = service(work=0)
    assert busy.patience.ask("busy", busy.call) == "here"
    os.kill(int(busy.supervisor.info("busy")["pid"]), signal.SIGSTOP)
    with pytest.raises(
        StackError,
        match=r"busy neither answers \(ReadTimeout(?s:.*) nor works since(?s:.*)busy\.log",
    ):
        busy.patience.ask("busy", busy.call)


def test_faults_of_the_server_are_waited_out_and_refusals_are_not(
    service: Callable[..., Service],
) -> None:
    busy = service(work=0, status=503)
    with pytest.raises(StackError, match="it answers 503"):
        busy.patience.ask("busy", busy.call)
    refusing = httpx.Response(409, request=httpx.Request("GET", "http://x"))

    def refused() -> None:
        refusing.raise_for_status()

    with pytest.raises(httpx.HTTPStatusError):
        busy.patience.ask("busy", refused)


def test_a_stack_that_was_stopped_meanwhile_is_not_waited_for(
    service: Callable[..., Service],
) -> None:
    busy = service(work=0)
    busy.supervisor.shutdown()
    with pytest.raises(StackError, match="busy was stopped with its stack"):
        busy.patience.ask("busy", busy.call)


def test_a_service_elsewhere_has_its_limit(service: Callable[..., Service]) -> None:
    busy = service(work=0)

    def unanswered() -> None:
        raise httpx.ConnectError("refused")

    with pytest.raises(StackError, match="mlflow neither answers"):
        busy.patience.ask("mlflow", unanswered)


def test_what_nobody_waits_for_any_more_ends(service: Callable[..., Service]) -> None:
    busy = service(work=0)
    busy.patience.over.set()
    with pytest.raises(StackError, match="nobody waits"):
        busy.patience.until("busy", lambda: False)


def test_down_removes_what_a_killed_search_left(service: Callable[..., Service]) -> None:
    home = service(work=0).supervisor.home
    lost = home / "ray" / "0badcafe"
    lost.mkdir(parents=True)
    lost.with_suffix(".lock").touch()
    (lost / "objects").write_bytes(b"x")
    assert down.stop(home) == []
    assert list((home / "ray").iterdir()) == []
