"""What came of an office's forecasts: whatever its objective, and however the truths came in."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from market import FLAT, STEEP, Market
from prometheus_client import generate_latest

from contracts import objects
from contracts.champion import Office, champion
from contracts.cut import Cut
from contracts.database.reader import bind
from contracts.store import Store
from contracts.tables import BARS
from contracts.universe import universe
from monitoring.export.exporter import Exporter
from monitoring.family import FAMILIES, Watched
from monitoring.office.wake import Waker
from monitoring.truth import performance
from monitoring.truth.performance import Performance, Truths
from monitoring.truth.settlement import settle
from serving.batch import predict
from training.bundle.bundle import Bundle
from training.run.mlflow_api import Mlflow

pytestmark = pytest.mark.integration

NOW = datetime(2025, 7, 1, 12, tzinfo=UTC)
FIRST = 24  # the first session that is forecast; volatility_20 looks back on those before
ZERO, BETTER = 1.0, 1.3


def cut(store: Store, market: Market, place: int) -> Cut:
    return Cut.at(universe(market.universe), market.sessions[place], store.snapshot())


def forecast(store: Store, market: Market, bundle: Bundle, place: int) -> int:
    asked = cut(store, market, place)
    return predict(store, market.champion(bundle, 2), bundle, asked, NOW)


@pytest.fixture
def volatile(store: Store, market: Market) -> Office:
    """A market in motion, champion zero of volatility and the one that succeeded it."""
    draw = np.random.default_rng(7)
    reach = draw.uniform(0.001, 0.03, (2, len(market.symbols), len(market.sessions)))
    market.load(
        store,
        *(
            market.bar(symbol, session, reach[0, i, j], reach[1, i, j])
            for i, symbol in enumerate(market.symbols)
            for j, session in enumerate(market.sessions)
        ),
    )
    zero, better = market.times(ZERO), market.times(BETTER, expert="har")
    market.promote(store, market.champion(zero, 1))
    market.promote(store, market.champion(better, 2))
    return Office(market.universe, "volatility_5")


def qlike(store: Store, weight: float) -> tuple[int, float]:
    """Worked out by hand of the newest truths; the champion said BETTER times its feature."""
    rows = store.query(
        "SELECT DISTINCT ON (prediction_id) volatility, value FROM outcomes "
        "JOIN predictions USING (prediction_id) WHERE target = 'volatility_5' "
        "ORDER BY prediction_id, version DESC"
    ).to_pylist()
    ratios = [(row["value"] * BETTER / (row["volatility"] * weight)) ** 2 for row in rows]
    return len(rows), float(np.mean([x - np.log(x) - 1 for x in ratios]))


def test_a_volatility_stands_beside_its_own_champion_zero(
    store: Store, market: Market, volatile: Office
) -> None:
    better = market.times(BETTER, expert="har")
    for place in range(FIRST, FIRST + 6):
        assert forecast(store, market, better, place) == 3
    truths = Truths(store)
    assert truths.of(volatile) == []
    for place in (FIRST + 7, FIRST + 10):
        assert settle(store, cut(store, market, place).back(20), NOW) > 0
        found = {one.forecaster: one for one in truths.of(volatile)}
        assert set(found) == {"champion", "mean_22"}
        for name, weight in (("champion", BETTER), ("mean_22", ZERO)):
            n, expected = qlike(store, weight)
            assert found[name].n == n and found[name].origin == "live"
            assert found[name].scores["qlike"] == pytest.approx(expected, rel=1e-6)


def test_the_alarm_family_of_losses_asks_the_same_baseline_at_one_snapshot(
    store: Store, market: Market, volatile: Office
) -> None:
    better = market.times(BETTER, expert="har")
    for place in range(FIRST, FIRST + 6):
        forecast(store, market, better, place)
    settle(store, cut(store, market, FIRST + 12).back(20), NOW)
    # A load since: no session is materialised at the snapshot at which it is asked.
    dull = market.bar("SIM001", market.last)
    market.append(store, BARS, [dull | {"source": "other"}])
    held, asked = champion(store, volatile), cut(store, market, FIRST + 12)
    assert held is not None
    track = FAMILIES.get("realised_loss").track(Watched(store, held, better, asked, NOW))
    assert track is not None and track.overlap == 5 and len(track.values) == 6
    # Each session has three rows, so that the mean of its means is that of all.
    apart = qlike(store, BETTER)[1] - qlike(store, ZERO)[1]
    assert abs(apart) > 0.01 and track.values.mean() == pytest.approx(apart, rel=1e-5)


def close(found: list[Performance], other: list[Performance]) -> bool:
    """The same but for the order in which was summed."""
    named = [(one.forecaster, one.origin, one.n) for one in found]
    return named == [(one.forecaster, one.origin, one.n) for one in other] and all(
        dict(one.scores) == pytest.approx(dict(its.scores))
        for one, its in zip(found, other, strict=True)
    )


def test_sums_that_were_kept_are_those_of_all_rows(
    store: Store, market: Market, volatile: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[list[date]]()
    whole = performance.settled

    def watched(store: Store, where: Any, asked: Any, days: Any) -> Any:
        read.append(list(days))
        return whole(store, where, asked, days)

    monkeypatch.setattr(performance, "settled", watched)
    better, kept = market.times(BETTER, expert="har"), Truths(store)
    # Three rows a session: two sessions are held at once, and others lie between those of a block.
    monkeypatch.setattr(performance, "_ROWS", 6)
    for place in (FIRST, FIRST + 4, FIRST + 1, FIRST + 3):
        forecast(store, market, better, place)
    last = market.sessions[FIRST + 9]
    settle(store, cut(store, market, FIRST + 6).back(20), NOW)
    kept.of(volatile)
    first, count = {day for days in read for day in days}, len(read)
    assert first == {market.sessions[FIRST], market.sessions[FIRST + 1]}
    settle(store, cut(store, market, FIRST + 9).back(20), NOW)
    kept.of(volatile)
    assert read[count:] == [[market.sessions[FIRST + 3], market.sessions[FIRST + 4]]]
    count = len(read)
    assert close(kept.of(volatile), Truths(store).of(volatile))
    assert len(read) == count + 2, "nothing is read again, and all of it by who reads first"
    # A bar that is restated moves the truths of the sessions before it, and them alone.
    moved = market.bar("SIM001", market.sessions[FIRST + 5], high=0.09, low=0.09)
    market.append(store, BARS, [moved], at=datetime.combine(last, NOW.time(), UTC))
    assert settle(store, cut(store, market, FIRST + 10).back(20), NOW) > 0
    count = len(read)
    assert close(kept.of(volatile), Truths(store).of(volatile))
    assert [one.n for one in kept.of(volatile)] == [12, 12]
    n, expected = qlike(store, BETTER)
    found = next(one for one in kept.of(volatile) if one.forecaster == "champion")
    assert (found.n, found.scores["qlike"]) == (n, pytest.approx(expected, rel=1e-6))


def test_what_has_come_is_found_without_a_walk_over_what_was_there(
    store: Store, market: Market, volatile: Office
) -> None:
    forecast(store, market, market.times(BETTER, expert="har"), FIRST)
    settle(store, cut(store, market, FIRST + 6).back(20), NOW)
    asked = bind(performance._MARKS, (*vars(volatile).values(), "b"))
    with store.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {asked}")
        plan = str(cursor.fetchall())
    assert "on tallies" in plan and "on outcomes" not in plan and "on predictions" not in plan
    asked = "SELECT session FROM predictions WHERE prediction_id = 'x'"
    with store.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(f"EXPLAIN {asked}")
        assert "predictions_prediction_id" in str(cursor.fetchall())


def test_a_champion_zero_in_office_is_as_good_as_itself(
    store: Store, market: Market, volatile: Office
) -> None:
    zero = market.times(ZERO)
    market.promote(store, market.champion(zero, 3))
    forecast(store, market, zero, FIRST)
    settle(store, cut(store, market, FIRST + 6).back(20), NOW)
    own, beside = Truths(store).of(volatile)
    assert {own.forecaster, beside.forecaster} == {"champion", "mean_22"}
    assert own.scores == beside.scores, "not a digit apart, or an alert would hold"


def test_one_offices_fault_hides_no_other(store: Store, market: Market, volatile: Office) -> None:
    better, steep = market.times(BETTER, expert="har"), market.prior(STEEP)
    for version, bundle in ((3, market.prior(FLAT)), (4, steep)):
        market.promote(store, market.champion(bundle, version))
    for bundle in (better, steep):
        forecast(store, market, bundle, FIRST)
    assert settle(store, cut(store, market, FIRST + 6).back(20), NOW) == 6
    exporter = Exporter(store, Mlflow("http://127.0.0.1:1"), Waker(None), market.universe)
    manifest = f"bundles/{steep.hash}/manifest.json"
    kept = objects.get(manifest)
    objects.put(manifest, b"{}")
    exporter.look()
    told = generate_latest(exporter.registry).decode()
    assert (
        f'finpulse_forecast_qlike{{forecaster="mean_22",origin="live",target="{volatile.target}"'
        in told
    )
    assert "finpulse_forecast_mcc{" not in told
    # It is tried again, though nothing has grown.
    objects.put(manifest, kept)
    exporter.look()
    told = generate_latest(exporter.registry).decode()
    assert "finpulse_forecast_mcc{" in told and "finpulse_forecast_qlike{" in told
    # Each by the loss of its own objective, and champion zero beside.
    for loss, zero in (("qlike", "mean_22"), ("direction_loss", "class_prior")):
        for forecaster in ("champion", zero):
            named = f'finpulse_settled_loss{{forecaster="{forecaster}",loss="{loss}",'
            assert named in told


def test_a_zero_that_cannot_be_asked_is_left_out(
    store: Store, market: Market, volatile: Office
) -> None:
    forecast(store, market, market.times(BETTER, expert="har"), FIRST)
    settle(store, cut(store, market, FIRST + 6).back(20), NOW)
    for row in store.query("SELECT DISTINCT path FROM materialisations").to_pylist():
        objects.remove(row["path"])
    assert [one.forecaster for one in Truths(store).of(volatile)] == ["champion"]
