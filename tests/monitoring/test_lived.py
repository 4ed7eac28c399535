"""Years that a universe lives through by the real verbs, and a loop that closes without hands."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import numpy as np
import pytest
from lived import Life, declared_recipe

from contracts.release.rollout import staged
from contracts.settings import settings
from contracts.store import Store
from monitoring.watch.calls import calls

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(3000)]

YEAR, CONTEST, TRAINED = 252, 84, 300
WEEK = 6
# What docs/monitoring.md states of a concept that turns round: sessions until training is woken,
# and until somebody else is in office.
WOKEN_WITHIN, CLOSED_WITHIN = 15, 25


@pytest.fixture
def callers() -> Iterator[str]:
    """A Prometheus that counts good answers of both arms."""
    counts = [({"arm": arm, "outcome": "answered"}, "500") for arm in ("champion", "challenger")]
    times = [
        ({"arm": arm, "le": le}, "500")
        for arm in ("champion", "challenger")
        for le in ("0.001", "+Inf")
    ]

    class Asked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = times if "bucket" in self.path else counts
            rows = [{"metric": labels, "value": [0, value]} for labels, value in told]
            content = json.dumps({"status": "success", "data": {"result": rows}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def life(
    store: Store, mlflow_server: str, callers: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Life]]:
    """Makes a life whose first champion is trained at the session TRAINED; releases are staged
    from then on."""
    monkeypatch.setenv("FINPULSE_MLFLOW_URL", mlflow_server)
    monkeypatch.setenv("FINPULSE_PROMETHEUS_URL", callers)
    monkeypatch.setenv("FINPULSE_CONTEST_SESSIONS", str(CONTEST))

    def made(tells: np.ndarray, **about: Any) -> Life:
        one = Life(store, monkeypatch, tells, **about)
        monkeypatch.setenv("FINPULSE_RELEASE", "direct")
        settings.cache_clear()
        one.begin()
        assert one.train(TRAINED).startswith("promoted")
        monkeypatch.setenv("FINPULSE_RELEASE", "staged")
        settings.cache_clear()
        return one

    with declared_recipe():
        yield made


def go_on(life: Life, place: int) -> list[str]:
    """What Airflow does at the end of a session: the market's day, the release, and the training
    that an alarm woke, earlier champions first."""
    life.day(place)
    done = list[str]()
    if staged(life.store):
        done.append(life.verb("monitoring", "rollout", place))
    for call in calls(life.store):
        if str(call.session) not in life.heard:
            life.heard.append(str(call.session))
            back = life.verb("monitoring", "earlier", place)
            done += [f"woken by {call.family}", f"back: {back}"]
            if back == "nobody":
                done.append(life.train(place))
    life.did += [f"{life.sessions[place]} {each}" for each in done]
    return done


def test_a_concept_that_turns_round_is_noticed_and_the_loop_closes_without_hands(
    life: Callable[..., Life],
) -> None:
    breaks = 330
    last = breaks + CLOSED_WITHIN
    one = life(np.where(np.arange(last + 4) < breaks, 0.6, -0.6))
    learnt = one.in_office
    for place in range(TRAINED, breaks, WEEK):
        assert not [d for d in go_on(one, place) if "back" in d and "nobody" not in d]
    assert one.in_office == learnt
    woken, closed = 0, 0
    for place in range(breaks, last + 1):
        done = go_on(one, place)
        woken = woken or (place - breaks + 1 if "woken by realised_loss" in done else 0)
        if one.in_office != learnt:
            closed = place - breaks + 1
            break
    print("\n".join(one.did))
    print(f"woken after {woken} sessions, another in office after {closed}")
    assert 0 < woken <= WOKEN_WITHIN and 0 < closed <= CLOSED_WITHIN
    back = one.in_office
    for later in range(breaks + closed, breaks + closed + 3):
        one.day(later)
        assert one.verb("monitoring", "rollout", later) == "PROMOTE", "the guard lets it stay"
    assert one.in_office == back
    rows = one.rows("SELECT decision, cause, bundle FROM promotions ORDER BY number")
    assert [row["cause"] for row in rows[-2:]] == ["earlier", "canary"], "nobody was trained"
    verdicts = one.rows("SELECT verdict, stage FROM rollouts ORDER BY number")
    told = [row["verdict"] for row in verdicts]
    # A gate waits until twelve sessions of the new world are settled.
    assert [each for each in told if each != "HOLD"] == ["BEGIN", *3 * ["PROMOTE"]], told


def test_a_year_without_a_change_alarms_at_most_once_a_family_and_promotes_nobody(
    life: Callable[..., Life],
) -> None:
    one = life(np.full(TRAINED + YEAR + 1, 0.6), seed=3)
    learnt = one.in_office
    for place in range(TRAINED, TRAINED + YEAR + 1, WEEK):
        go_on(one, place)
    print("\n".join(one.did))
    rows = one.rows("SELECT family, session, alarm, number, watched FROM alarms ORDER BY session")
    families = {row["family"] for row in rows}
    assert families == {"features", "confidence", "realised_loss", "freshness"}
    for family in families - {"freshness"}:
        raised = [row["alarm"] for row in rows if row["family"] == family]
        begins = sum(
            now and not before for before, now in zip([False, *raised], raised, strict=False)
        )
        assert begins <= 1, family
    assert one.in_office == learnt, "nobody was promoted for nothing"
    assert max(row["watched"] for row in rows) >= YEAR - 25
