"""Alarm families of a champion over a real store: what each says, and when one wakes a training."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import postgres as launcher
import pyarrow as pa
import pytest
from market import FLAT, Market, close_of
from prometheus_client import generate_latest
from typer.testing import CliRunner

from contracts.champion import Office
from contracts.cut import Cut
from contracts.settings import settings
from contracts.store import Store
from contracts.tables import OUTCOMES, PREDICTIONS
from contracts.time.calendar import last_sessions
from contracts.universe import universe
from monitoring.__main__ import app
from monitoring.export.exporter import Exporter
from monitoring.family import FAMILIES, Family, Track, family
from monitoring.office.wake import Waker
from monitoring.watch.calls import calls
from monitoring.watch.rounds import AGAIN, Alarm, watch
from training.bundle.bundle import Bundle
from training.office.staging import begin
from training.run.mlflow_api import Mlflow
from training.run.records import Fit

pytestmark = pytest.mark.integration

OFFICE = Office("sim20", "trend_1")
PAST, IN_OFFICE = 70, 40
BASE = {"features", "embeddings"}  # they ask for a matrix, and are tried where there is one


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets only those families be asked."""

    def chosen(*names: str) -> None:
        kept = {name: FAMILIES.get(name) for name in names}
        monkeypatch.setattr(FAMILIES, "_members", kept)
        monkeypatch.setattr(FAMILIES, "_discovered", True)

    return chosen


@pytest.fixture
def sessions(market: Market) -> list[date]:
    return list(last_sessions("XNYS", market.last, PAST + IN_OFFICE))


@pytest.fixture
def lived(
    store: Store, market: Market, sessions: list[date], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Bundle]:
    """A champion with a past of PAST sessions and IN_OFFICE of them in office.

    sure, right: of each session how sure it was, and how often it was right.
    """
    monkeypatch.setenv("FINPULSE_MLFLOW_URL", f"http://127.0.0.1:{launcher.free_port()}")
    settings.cache_clear()

    def made(sure: np.ndarray, right: np.ndarray, zero: bool = True) -> Bundle:
        bundle = market.prior((0.25, 0.3, 0.45), expert="logistic")
        if zero:
            market.promote(store, market.champion(market.prior(FLAT), 1))
        held = market.promote(store, market.champion(bundle, 2))
        draw = np.random.default_rng(5)
        rows, truths = list[dict[str, Any]](), list[dict[str, Any]]()
        for t, day in enumerate(sessions):
            fresh = t >= PAST
            issued = held.decided_at + timedelta(hours=t if fresh else -1)
            for row in market.rows(bundle, 2, [day]):
                up = float(np.clip(sure[t] + 0.01 * draw.normal(), 0.34, 0.9))
                chances = {"p_down": 0.9 - up, "p_neutral": 0.1, "p_up": up}
                told = {"forecast": orjson.dumps(chances).decode(), **chances}
                about = {"origin": "live" if fresh else "backfill", "issued_at": issued}
                rows.append(row | told | about)
                label = 2 if draw.random() < right[t] else 0
                truths.append(outcome(row["prediction_id"], label, day))
        store.record(PREDICTIONS, pa.Table.from_pylist(rows, schema=PREDICTIONS.schema))
        store.record(OUTCOMES, pa.Table.from_pylist(truths, schema=OUTCOMES.schema))
        return bundle

    return made


def outcome(name: str, label: int, day: date, version: int = 1) -> dict[str, Any]:
    at = close_of(day) + timedelta(days=1)
    told = {"prediction_id": name, "version": version, "label": label, "value": None}
    told |= {"total_return": 0.0, "delisted": False, "settled_at": at}
    return told | {"snapshot": 7, "recorded_at": at}


def always(value: float) -> np.ndarray:
    return np.full(PAST + IN_OFFICE, value)


def later(before: float, after: float, since: int = PAST + 5) -> np.ndarray:
    return np.where(np.arange(PAST + IN_OFFICE) < since, before, after)


def at(store: Store, day: date, now: datetime | None = None) -> dict[str, Alarm]:
    asked = Cut.at(universe("sim20"), day, 7)
    found = watch(store, OFFICE, asked, now or datetime(2025, 7, 2, tzinfo=UTC))
    return {one.family: one for one in found}


def test_every_family_is_found_by_itself() -> None:
    known = {"confidence", "embeddings", "features", "freshness", "realised_loss"}
    assert set(FAMILIES.names()) == known


def test_a_quiet_champion_alarms_nobody_and_all_is_written_down(
    store: Store, sessions: list[date], lived: Callable[..., Bundle], only: Callable[..., None]
) -> None:
    bundle = lived(always(0.5), always(0.55))
    only("confidence", "freshness", "realised_loss")
    found = at(store, sessions[-1])
    assert set(found) == {"confidence", "freshness", "realised_loss"}
    assert not any(one.alarm or one.wakes for one in found.values())
    assert found["confidence"].watched == found["realised_loss"].watched == IN_OFFICE
    at(store, sessions[-1])
    rows = store.query("SELECT * FROM alarms").to_pylist()
    assert len(rows) == 3 and {row["bundle"] for row in rows} == {bundle.hash}
    one = next(row for row in rows if row["family"] == "confidence")
    held = found["confidence"]
    assert (one["number"], one["threshold"], one["severe"]) == (
        *(held.number, held.threshold, held.severe),
    )


def test_confidence_that_falls_is_another_family_than_a_loss_that_rises(
    store: Store, sessions: list[date], lived: Callable[..., Bundle], only: Callable[..., None]
) -> None:
    lived(later(0.6, 0.5), always(0.55))
    only("confidence", "realised_loss")
    found = at(store, sessions[-1])
    assert found["confidence"].persistent and found["confidence"].wakes
    assert not found["realised_loss"].alarm
    assert found["confidence"].began is not None
    assert abs((found["confidence"].began - sessions[PAST + 5]).days) <= 8


def test_a_loss_that_rises_wakes_once_and_again_after_a_month(
    store: Store, sessions: list[date], lived: Callable[..., Bundle], only: Callable[..., None]
) -> None:
    bundle = lived(always(0.7), later(0.8, 0.05))
    only("realised_loss")
    woke = list[int]()
    for place in range(PAST + 5, PAST + IN_OFFICE):
        found = at(store, sessions[place])["realised_loss"]
        woke += [place] if found.wakes else []
        assert not found.wakes or found.persistent
    first = woke[0] - PAST - 5
    assert first < 15 and woke == list(range(woke[0], PAST + IN_OFFICE, AGAIN))
    [call] = calls(store)
    assert (call.family, call.bundle) == ("realised_loss", bundle.hash)
    assert call.session == sessions[woke[-1]]


def test_a_change_does_not_wait_for_what_only_was_old(
    store: Store, sessions: list[date], lived: Callable[..., Bundle], only: Callable[..., None]
) -> None:
    lived(always(0.7), later(0.8, 0.05))
    only("freshness", "realised_loss")
    late = datetime(2025, 9, 1, tzinfo=UTC)
    woke = {
        place: {name for name, one in at(store, sessions[place], late).items() if one.wakes}
        for place in range(PAST + 1, PAST + IN_OFFICE)
    }
    first, second, *_ = [place for place, names in woke.items() if names]
    assert first == PAST + 1 and woke[first] == {"freshness"}
    assert second < PAST + 20 and woke[second] == {"realised_loss"}


def test_nobody_is_called_for_a_champion_that_left(
    store: Store,
    market: Market,
    sessions: list[date],
    lived: Callable[..., Bundle],
    only: Callable[..., None],
) -> None:
    lived(always(0.7), later(0.8, 0.05))
    only("realised_loss")
    assert at(store, sessions[-1])["realised_loss"].wakes and len(calls(store)) == 1
    market.promote(store, market.champion(market.prior((0.2, 0.2, 0.6)), 3))
    assert calls(store) == []
    # The one in office now has no past yet, and says nothing.
    assert at(store, sessions[-1]) == {}


def test_a_release_under_way_is_left_in_peace(
    store: Store,
    market: Market,
    sessions: list[date],
    lived: Callable[..., Bundle],
    only: Callable[..., None],
) -> None:
    lived(always(0.7), later(0.8, 0.05))
    only("realised_loss")
    challenger = market.prior((0.4, 0.2, 0.4))
    begin(store, OFFICE, Fit("", challenger.hash, 3), "why", datetime.now(UTC))
    found = at(store, sessions[-1])["realised_loss"]
    assert found.persistent and not found.wakes and calls(store) == []


def test_an_office_that_cools_down_is_left_in_peace_until_then(
    store: Store,
    sessions: list[date],
    lived: Callable[..., Bundle],
    only: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lived(always(0.7), later(0.8, 0.05))
    only("realised_loss")
    until = datetime(2025, 7, 5, tzinfo=UTC)
    monkeypatch.setattr("monitoring.watch.rounds.cool_until", lambda *_: until)
    assert not at(store, sessions[-2], until - timedelta(hours=1))["realised_loss"].wakes
    assert at(store, sessions[-1], until)["realised_loss"].wakes


def test_who_comes_back_begins_with_a_past_of_its_own(
    store: Store,
    market: Market,
    sessions: list[date],
    lived: Callable[..., Bundle],
    only: Callable[..., None],
) -> None:
    bundle = lived(always(0.7), later(0.8, 0.05))
    only("realised_loss")
    assert at(store, sessions[-1])["realised_loss"].persistent
    market.promote(store, market.champion(market.prior((0.4, 0.2, 0.4)), 3))
    again = market.promote(store, market.champion(bundle, 9_000))
    found = at(store, sessions[-1], again.decided_at)["realised_loss"]
    assert not found.alarm and found.watched <= 1


def test_a_restated_truth_counts_and_a_session_without_one_is_left_out(
    store: Store, sessions: list[date], lived: Callable[..., Bundle], only: Callable[..., None]
) -> None:
    lived(always(0.7), later(0.8, 0.05))
    only("realised_loss")
    rows = store.query("SELECT prediction_id, session FROM predictions").to_pylist()
    wrong = [r for r in rows if r["session"] >= sessions[PAST + 5]]
    mended = [outcome(r["prediction_id"], 2, r["session"], version=2) for r in wrong]
    store.record(OUTCOMES, pa.Table.from_pylist(mended, schema=OUTCOMES.schema))
    assert not at(store, sessions[-1])["realised_loss"].alarm
    assert at(store, sessions[50]) == {}, (
        "sixty sessions are its past, wherever it came into office"
    )


def test_freshness_is_the_time_since_anybody_was_held_against_it(
    store: Store, market: Market, sessions: list[date], only: Callable[..., None]
) -> None:
    held = market.promote(store, market.champion(market.prior(FLAT), 1))
    only("freshness")
    day = held.decided_at
    young = at(store, sessions[-2], day + timedelta(days=35))["freshness"]
    old = at(store, sessions[-1], day + timedelta(days=36))["freshness"]
    assert (young.number, young.alarm) == (35.0, False)
    assert (old.number, old.alarm, old.persistent, old.wakes) == (36.0, True, True, True)


def test_a_family_that_fails_is_named_and_stops_no_other(
    store: Store,
    sessions: list[date],
    lived: Callable[..., Bundle],
    only: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    lived(later(0.6, 0.5), always(0.55))
    only("confidence")

    @family("afraid")
    def afraid(_watched: Any) -> Track | None:
        raise RuntimeError("the matrix is gone")

    with pytest.raises(RuntimeError, match="the matrix is gone"):
        at(store, sessions[-1])
    assert "sim20/trend_1 afraid: the matrix is gone" in capsys.readouterr().err
    assert store.query("SELECT family FROM alarms WHERE wakes")["family"].to_pylist() == [
        "confidence"
    ]


def test_the_verb_tells_each_family_and_the_exporter_the_newest(
    store: Store, sessions: list[date], lived: Callable[..., Bundle], only: Callable[..., None]
) -> None:
    lived(later(0.6, 0.5), always(0.55))
    only("confidence", "realised_loss")
    asked = ["alarms", "--session", str(sessions[-1]), "--snapshot", "7"]
    done = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert done.stdout.splitlines()[-1] == "1" and "PERSISTENT wakes train_models" in done.stdout
    exporter = Exporter(store, Mlflow("http://127.0.0.1:1"), Waker(None), "sim20")
    exporter.look()
    text = generate_latest(exporter.registry).decode()
    where = 'family="{}",target="trend_1",universe="sim20"'
    for name, raised in (("confidence", "1.0"), ("realised_loss", "0.0")):
        for metric in ("raised", "persistent"):
            assert f"finpulse_alarm_{metric}{{{where.format(name)}}} {raised}" in text


def test_declared_families_are_what_they_say() -> None:
    for one in FAMILIES:
        assert isinstance(one, Family) and one.name
    assert FAMILIES.get("freshness").limit == 35.0
    assert {one.name for one in FAMILIES if one.limit is None} == BASE | {
        *("confidence", "realised_loss")
    }
