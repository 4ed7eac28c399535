"""Airflow is told of a champion without forecasts: once, and again while it stays without."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from stub_server import serving

from contracts.gap import Gap
from monitoring.office import wake
from monitoring.office.airflow import LEDGER, Airflow, AirflowError
from monitoring.office.wake import Waker
from monitoring.watch.calls import ALARMS, Call, Caller

CALL = Call("sim20", "trend_1", "realised_loss", date(2025, 6, 30), 12, "a" * 64)
GAP = Gap("sim20", "trend_1", "a" * 64, date(2025, 6, 30), 12)


@dataclass
class Fake:
    """The three routes of Airflow that are asked, and what was told to it."""

    server: ThreadingHTTPServer
    events: list[dict[str, Any]] = field(default_factory=list)
    assets: list[dict[str, Any]] = field(
        default_factory=lambda: [{"id": 7, "uri": LEDGER}, {"id": 8, "uri": ALARMS}]
    )
    token: str = "first"
    plain: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, path: str, body: Any, token: str | None) -> tuple[int, Any]:
        if path == "/auth/token":
            sound = body == {"username": "us", "password": "secret"}
            return (201, {"access_token": self.token}) if sound else (401, {"detail": "no"})
        if token != f"Bearer {self.token}":
            return 401, {"detail": "Not authenticated"}
        if path.startswith("/api/v2/assets?"):
            return 200, {"assets": self.assets}
        if path.startswith("/api/v2/assets/events?"):
            asked = parse_qs(urlsplit(path).query)
            assert asked["order_by"] == ["-timestamp"]
            mine = [e for e in self.events if [str(e["asset_id"])] == asked["asset_id"]]
            told = [{"extra": {**e["extra"], "from_rest_api": True}} for e in mine]
            return 200, {"asset_events": [{"extra": None}, *told]}
        self.events.append(body)
        return 200, {"id": len(self.events)}


@pytest.fixture
def airflow() -> Iterator[Fake]:
    """An Airflow of the test's own."""

    class Asked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(None)

        def do_POST(self) -> None:
            self._reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _reply(self, body: Any) -> None:
            status, said = fake.answer(self.path, body, self.headers["Authorization"])
            content = b"<html>" if fake.plain else json.dumps(said).encode()
            self.send_response(200 if fake.plain else status)
            self.send_header("Content-Type", "text/html" if fake.plain else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with serving(Asked) as server:
        fake = Fake(server)
        yield fake


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time as the waker sees it."""
    now = [1000.0]
    monkeypatch.setattr(wake.time, "monotonic", lambda: now[0])
    return now


def client(fake: Fake, password: str = "secret") -> Airflow:
    return Airflow(fake.url, "us", password)


def test_a_gap_is_told_once_and_again_while_it_stays(airflow: Fake, clock: list[float]) -> None:
    waker, told = Waker(client(airflow)), []
    for second in range(0, 14_000, 10):
        clock[0] = 1000.0 + second
        waker.look([GAP])
        told += [second] * (len(airflow.events) - len(told))
    pauses = [after - before for before, after in pairwise(told)]
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600], "an hour at most"
    extra = {"universe": "sim20", "target": "trend_1", "bundle": GAP.bundle}
    extra |= {"session": "2025-06-30", "snapshot": "12"}
    assert airflow.events[0] == {"asset_id": 7, "extra": extra}


def test_another_gap_and_one_that_came_back_are_told_at_once(airflow: Fake) -> None:
    waker = Waker(client(airflow))
    other = replace(GAP, bundle="b" * 64)
    for found in ([GAP], [GAP], [other], [other], [], [other]):
        waker.look(found)
    bundles = [event["extra"]["bundle"][0] for event in airflow.events]
    assert bundles == ["a", "b", "b"]


def test_an_airflow_that_was_away_is_told_by_the_next_look(
    airflow: Fake, caplog: pytest.LogCaptureFixture
) -> None:
    waker = Waker(Airflow("http://127.0.0.1:1", "us", "secret"))
    waker.look([GAP])
    assert "FINPULSE_AIRFLOW_URL" in caplog.records[-1].error  # type: ignore[attr-defined]
    assert not waker.reachable
    waker.airflow = client(airflow)
    assert waker.reachable
    waker.look([GAP])
    assert len(airflow.events) == 1


def test_a_login_that_ended_is_made_anew(airflow: Fake) -> None:
    asking = client(airflow)
    asking.tell({"universe": "a"})
    airflow.token = "second"
    asking.tell({"universe": "b"})
    assert [event["extra"]["universe"] for event in airflow.events] == ["a", "b"]


def test_what_is_no_airflow_of_ours_is_named(airflow: Fake) -> None:
    with pytest.raises(AirflowError, match="FINPULSE_AIRFLOW_PASSWORD"):
        client(airflow, "wrong").ledger()
    airflow.assets = [{"id": 3, "uri": LEDGER + "/other"}]
    with pytest.raises(AirflowError, match="knows no asset finpulse://ledger/promotions"):
        client(airflow).ledger()
    airflow.plain = True
    with pytest.raises(AirflowError, match="expected an Airflow 3"):
        client(airflow).ledger()


def test_without_an_airflow_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    waker = Waker(None)
    for _ in range(3):
        waker.look([GAP])
        assert not waker.reachable
    [said] = caplog.records
    assert said.levelname == "ERROR" and "FINPULSE_AIRFLOW_PASSWORD" in said.message


def test_a_call_is_told_once_whoever_restarts(airflow: Fake) -> None:
    for _ in range(2):
        caller = Caller(client(airflow))
        for _ in range(2):
            caller.look([CALL])
    extra = {"universe": "sim20", "target": "trend_1", "family": "realised_loss"}
    extra |= {"session": "2025-06-30", "snapshot": "12", "bundle": CALL.bundle}
    assert airflow.events == [{"asset_id": 8, "extra": extra}]


def test_each_office_has_a_call_of_its_own_one_a_look(airflow: Fake) -> None:
    """Airflow may lose the second of two events that come within the same second."""
    caller = Caller(client(airflow))
    for count in (1, 2, 2):
        caller.look([CALL, replace(CALL, target="volatility_5")])
        assert len(airflow.events) == count
    caller.look([replace(CALL, session=date(2025, 7, 30))])
    told = [" ".join((e["extra"]["target"], e["extra"]["session"])) for e in airflow.events]
    assert told == ["trend_1 2025-06-30", "volatility_5 2025-06-30", "trend_1 2025-07-30"]


def test_a_call_that_could_not_be_told_is_told_by_the_next_look(
    airflow: Fake, caplog: pytest.LogCaptureFixture
) -> None:
    caller = Caller(Airflow("http://127.0.0.1:1", "us", "secret"))
    caller.look([CALL])
    assert "FINPULSE_AIRFLOW_URL" in caplog.records[-1].error  # type: ignore[attr-defined]
    caller.airflow = client(airflow)
    airflow.assets = airflow.assets[:1]
    caller.look([CALL])
    assert "knows no asset finpulse://ledger/alarms" in caplog.records[-1].error  # type: ignore[attr-defined]
    airflow.assets.append({"id": 8, "uri": ALARMS})
    caller.look([CALL])
    assert len(airflow.events) == 1
    Caller(None).look([CALL])
