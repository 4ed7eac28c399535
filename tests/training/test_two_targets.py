"""Two targets of one universe: each has its champion, forecasts, truths and way back."""

import json
from typing import Any

import pytest
from places import Place, placed, ran

from contracts.champion import Office, champion, offices
from contracts.store import Store
from monitoring.__main__ import app as monitoring
from serving.__main__ import app as serving
from training.__main__ import app as training
from training.objectives.return_ import Return
from training.run.mlflow_api import Mlflow

pytestmark = pytest.mark.integration

UNIVERSE = "sim20"
TREND, VOLATILITY = Office(UNIVERSE, "trend_1"), Office(UNIVERSE, "volatility_5")
RECIPE = ("--recipe", "demo_volatility")


@pytest.fixture
def place(store: Store, tracking: Mlflow, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A small simulated market whose texts say nothing, with what both recipes learn from."""
    return placed(store, monkeypatch, 700, 250, ("daily_3", "daily_4", "daily_5"))


def trained(place: Place, recipe: tuple[str, str] = RECIPE) -> str:
    """Champion zero of trend and of the recipe's target, then its challenger up to the contest."""
    ran(training, "zero", "--recipe", "demo", *place.now)
    ran(training, "zero", *recipe, *place.now)
    ran(training, "tune", *recipe, *place.now)
    for expert in json.loads(ran(training, "experts", *recipe)):
        ran(training, "fit", "--expert", expert, *recipe, *place.now)
    for verb in ("ensemble", "evidence", "contest"):
        ran(training, verb, *recipe, *place.now)
    return ran(training, "promote", *recipe, *place.now)


def predictions(store: Store, target: str) -> list[dict[str, Any]]:
    asked = "SELECT * FROM predictions WHERE target = %s ORDER BY session, symbol"
    return store.query(asked, (target,)).to_pylist()


def test_volatility_takes_office_beside_trend_forecasts_settles_and_goes_back(
    store: Store, tracking: Mlflow, place: Place
) -> None:
    assert "promoted" in trained(place)
    assert offices(store) == (TREND, VOLATILITY)
    trend, volatility = champion(store, TREND), champion(store, VOLATILITY)
    assert trend and volatility and trend.model_name != volatility.model_name
    assert trend.bundle != volatility.bundle

    # Of one target alone, then of what is left: each session once per office.
    some = ran(serving, "predict", *place.now, "--catch-up", "5", "--target", "volatility_5")
    rest = ran(serving, "predict", *place.now, "--catch-up", "5")
    assert [text.splitlines()[-1] for text in (some, rest)] == ["40", "40"]
    assert ran(serving, "predict", *place.now, "--catch-up", "5").splitlines()[-1] == "0"
    for row in predictions(store, "volatility_5"):
        assert json.loads(row["forecast"]) == {"volatility": pytest.approx(row["volatility"])}
        assert 0.001 < row["volatility"] < 0.2 and row["horizon"] == 5
        assert row["p_up"] is None and row["signal"] is None
        assert (row["bundle"], row["universe"]) == (volatility.bundle, UNIVERSE)
    for row in predictions(store, "trend_1"):
        assert set(json.loads(row["forecast"])) == {"p_down", "p_neutral", "p_up"}
        assert row["volatility"] is None and row["signal"] and row["bundle"] == trend.bundle

    settled(store, place)
    read = json.loads(ran(training, "score-text", "--inputs", *place.now).splitlines()[-1])
    assert read["views"] == "daily_3,daily_5"
    told = ran(training, "report")
    assert "Champion of sim20/trend_1" in told and "Champion of sim20/volatility_5" in told
    assert "qlike" in told

    asked = ("--target", "volatility_5", "--bundle", volatility.bundle, "--reason", "it fell")
    ran(training, "rollback", *asked)
    back = champion(store, VOLATILITY)
    assert back and back.bundle != volatility.bundle and champion(store, TREND) == trend


def test_returns_are_kept_with_what_follows_from_their_quantiles(
    store: Store, tracking: Mlflow, place: Place
) -> None:
    trained(place, ("--recipe", "demo_return"))
    told = ran(training, "report", "--target", "return_1")
    assert "pinball" in told and "coverage_90" in told
    some = ran(serving, "predict", *place.now, "--catch-up", "5", "--target", "return_1")
    assert some.splitlines()[-1] == "40"
    asked = Return()
    for row in predictions(store, "return_1"):
        forecast = json.loads(row["forecast"])
        assert set(forecast) == {*asked.columns, "expected_return"}
        values = [forecast[name] for name in asked.columns]
        assert values == sorted(values) and values[0] < 0 < values[-1]
        said = asked.answer({**row, **forecast})
        assert said["expected_return"] == pytest.approx(row["expected_return"])
        assert said["interval_90"] == [values[0], values[-1]]
        assert row["signal"] is None and row["p_up"] is None
    when = ("--session", str(place.later), "--snapshot", str(place.snapshot), "--sessions", "15")
    assert ran(monitoring, "settle", *when).splitlines()[-1] == "40"
    rows = store.query("SELECT value, label FROM outcomes").to_pylist()
    assert all(row["label"] is None and abs(row["value"]) < 0.5 for row in rows)


def settled(store: Store, place: Place) -> None:
    """Settle ten sessions later: a number stands in one column, a class in the other."""
    when = ("--session", str(place.later), "--snapshot", str(place.snapshot), "--sessions", "15")
    assert ran(monitoring, "settle", *when).splitlines()[-1] == "80"
    rows = store.query(
        "SELECT target, label, value, settled_at FROM outcomes JOIN predictions "
        "USING (prediction_id)"
    ).to_pylist()
    for row in rows:
        number = row["target"] == "volatility_5"
        assert (row["value"] is not None, row["label"] is None) == (number, number)
    found = {row["value"] for row in rows if row["value"] is not None}
    assert len(found) == 40 and all(0.0 < value < 0.3 for value in found)
