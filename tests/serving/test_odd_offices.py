"""Champions of which this code or the object store knows nothing: named, and nobody's obstacle."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from market import FLAT, STEEP, Market
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from contracts import objects
from contracts.expected import Expected
from contracts.store import Store
from contracts.time.calendar import last_sessions
from monitoring.__main__ import app as monitoring
from serving.__main__ import app as serving
from serving.app import create_app
from training.__main__ import app as training
from training.bundle.bundle import Bundle
from training.bundle.manifest import Manifest
from training.bundle.text_model import in_office

pytestmark = pytest.mark.integration


def gone(market: Market) -> Bundle:
    """A bundle that somebody deletes from the object store."""
    return market.prior(STEEP, target="trend_5", horizon=5)


def undeclared(market: Market) -> Bundle:
    """A bundle of code that had a target more, whose name comes before the others'."""
    return market.prior(STEEP, target="luck_1")


def unanswerable(market: Market) -> Bundle:
    """A bundle of code that had an objective more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Manifest, "require_answerable", lambda _: None)
        return market.prior(STEEP, target="trend_5", horizon=5, objective="luck")


ODD = {gone: "manifest.json is missing", undeclared: "luck_1", unanswerable: "found 'luck'"}
kinds = pytest.mark.parametrize("odd", ODD, ids=lambda one: one.__name__)


@pytest.fixture
def place(store: Store, market: Market) -> Callable[[Callable[[Market], Bundle]], Bundle]:
    """A market whose trend has a champion, and another office an odd one, both with forecasts."""

    def made(odd: Callable[[Market], Bundle]) -> Bundle:
        market.load(store)
        market.crown(store, FLAT, 1)
        found = odd(market)
        plain = replace(found, manifest=replace(found.manifest, objective="trend"))
        market.forecast(store, plain, 2, market.sessions[-3:])
        market.promote(store, market.champion(found, 2))
        if odd is gone:
            objects.remove(f"bundles/{found.hash}")
        return found

    return made


def ran(app: object, store: Store, market: Market, *words: str) -> Result:
    about = ("--session", str(market.last), "--snapshot", str(store.snapshot()))
    return CliRunner().invoke(app, [*words, *about])  # type: ignore[arg-type]


@kinds
def test_the_predictor_serves_all_others_and_says_why_not_this_one(
    store: Store, market: Market, place: Callable[..., Bundle], odd: Callable[[Market], Bundle]
) -> None:
    office = f"{market.universe}/{place(odd).manifest.target}"
    app = create_app(store, market.universe)
    app.state.service.watch.poll()
    assert app.state.service.watch.database
    client = TestClient(app)
    [row] = client.get("/predict/SIM001").json()["predictions"]
    assert (row["target"], row["model_version"]) == ("trend_1", 1)
    assert ODD[odd] in client.get("/health/ready").json()["waiting"][office]
    [said] = client.get("/analysis/SIM001").json()["forecasts"]
    assert said["target"] == "trend_1"


@kinds
def test_each_verb_does_what_it_can_for_the_others_and_names_it(
    store: Store, market: Market, place: Callable[..., Bundle], odd: Callable[[Market], Bundle]
) -> None:
    found = place(odd)
    # What was issued before is settled where somebody knows its rule.
    settled = ran(monitoring, store, market, "settle")
    assert store.query("SELECT * FROM outcomes")["prediction_id"].to_pylist()
    assert isinstance(settled.exception, Expected) and ODD[odd] in settled.stderr
    asked = CliRunner().invoke(serving, ["ask", "SIM001"])
    assert asked.exit_code == 0 and "trend_1: p_down 30.00%" in asked.output, asked.output
    if odd is not undeclared:  # It can be read, only never settled.
        assert f"{found.manifest.target}: not told, " in asked.output
    told: list[str] = []
    read = in_office(store, market.universe, told.append)
    assert "trend_1" in {one.target for one in read} and bool(told) == (odd is gone)
    later = ran(training, store, market, "score-text", "--inputs")
    assert later.exit_code == 0 and "daily_0" in later.stdout


@kinds
def test_it_forecasts_nothing_new_and_stops_no_other(
    store: Store, market: Market, odd: Callable[[Market], Bundle]
) -> None:
    market.load(store)
    market.promote(store, market.champion(market.prior(FLAT), 1))
    market.promote(store, market.champion(found := odd(market), 2))
    if odd is gone:
        objects.remove(f"bundles/{found.hash}")
    done = ran(serving, store, market, "predict", "--catch-up", "1")
    assert isinstance(done.exception, Expected) and ODD[odd] in done.stderr
    rows = store.query("SELECT target FROM predictions").to_pylist()
    assert [row["target"] for row in rows] == ["trend_1"] * 3


def test_a_universe_whose_facts_are_gone_has_no_returns(store: Store, market: Market) -> None:
    market.load(store)
    for universe in ("mars", "my uni/verse"):
        far = Market(universe)
        far.crown(store, STEEP, 5)
    app = create_app(store, "mars")
    app.state.service.watch.poll()
    client = TestClient(app)
    for universe, told in (("mars", "no members known"), ("my uni/verse", "a universe's name")):
        answer = client.get("/risk/SIM001:1", params={"universe": universe})
        assert (answer.status_code, answer.json()["code"]) == (404, "no_returns")
        assert told in answer.json()["message"]
        assert client.get("/predict/SIM001", params={"universe": universe}).status_code == 200


def test_members_of_two_calendars_are_held_through_the_sessions_of_both(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = Market("london8", "XLON", ("SIM001.XLON", "SIM001"))
    far.__dict__["sessions"] = list(last_sessions("XLON", far.last, 120))
    far.load(store)
    far.crown(store, FLAT, 1)
    app = create_app(store, "sim20")
    app.state.service.watch.poll()
    found = TestClient(app).get("/risk/SIM001:0.5,SIM001.XLON:0.5?sessions=100").json()
    here, there = (set(last_sessions(name, far.last, 120)) for name in ("XNYS", "XLON"))
    # London's sessions are asked for; on New York's holidays among them one member stands still.
    asked = [day for day in sorted(there) if day <= far.last][-100:]
    assert found["universe"] == "london8" and found["sessions"] == len(set(asked) & here)
    assert np.isfinite(found["beta"])
