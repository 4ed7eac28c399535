"""A run is cut by the sessions of its universe, whatever the settings' calendar is."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from contracts.cut import Cut
from contracts.settings import settings
from contracts.store import Store
from contracts.time.calendar import NotASession, session_close
from contracts.universe import Universe, universe
from features.labels.triple_barrier import TripleBarrier
from features.target import TARGETS, Target
from training.recipe import RECIPES, recipe
from training.run.scope import Scope, scope
from training.samples.samples import TrainingError

# On 19 June 2025 New York rested and London did not.
REST = date(2025, 6, 19)
Declare = Callable[[Universe], Universe]


@pytest.fixture(autouse=True)
def no_office(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to be asked who reads texts."""
    monkeypatch.setenv("FINPULSE_TEXT_MODEL", "minilm")
    settings.cache_clear()


def run(name: str, session: date) -> Scope:
    return scope(Store("postgresql://nowhere"), Cut.at(universe(name), session, 7), "demo")


def test_another_exchange_has_its_own_sessions_and_closes(declared: Declare) -> None:
    declared(Universe("elsewhere", "XLON", "GBP"))
    there = run("elsewhere", REST)
    assert (there.calendar, there.cut.end.hour) == ("XLON", 15)
    assert there.as_of == session_close("XLON", there.trained_until)
    with pytest.raises(NotASession, match="2025-06-19 is no session of XNYS"):
        run("sim20", REST)


def test_what_is_kept_for_the_contest_is_counted_in_its_sessions(declared: Declare) -> None:
    declared(Universe("elsewhere", "XLON", "GBP"))
    here, there = (run(name, date(2025, 6, 30)) for name in ("sim20", "elsewhere"))
    for asked in (here, there):
        kept = asked.cut.since(asked.trained_until).sessions
        assert len(kept) == asked.contest_sessions + 1
    assert here.trained_until != there.trained_until


def test_its_name_is_as_before() -> None:
    assert run("sim20", date(2025, 6, 30)).name == "sim20_demo_2025-06-30_7"


@pytest.mark.parametrize(
    ("of", "counted"), [("demo_levels", "levels_5"), ("demo_risk", "risk_1"), ("demo", "trend_1")]
)
def test_what_counts_sessions_is_not_learnt_from_minutes(
    of: str, counted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RECIPES._members, "toy", replace(recipe(of), name="toy", view="minute_3"))
    cut = Cut.at(universe("sim20"), date(2025, 6, 30), 7)
    with pytest.raises(TrainingError, match=f"bars of 1m, and foretells {counted}.* bars of 1d"):
        scope(Store("postgresql://nowhere"), cut, "toy")


def test_a_target_of_minutes_is_learnt_from_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    quarter = Target("trend_15m", TripleBarrier(horizon=15, width=1.0, window=30), "1m")
    monkeypatch.setitem(TARGETS._members, quarter.name, quarter)
    toy = replace(recipe("demo"), name="toy", view="minute_3", target=quarter.name)
    monkeypatch.setitem(RECIPES._members, "toy", toy)
    cut = Cut.at(universe("sim20"), date(2025, 6, 30), 7)
    assert scope(Store("postgresql://nowhere"), cut, "toy").overlap == 1, "it ends with its session"
    monkeypatch.setitem(RECIPES._members, "toy", replace(toy, view="daily_3"))
    with pytest.raises(TrainingError, match="bars of 1d, and foretells trend_15m"):
        scope(Store("postgresql://nowhere"), cut, "toy")
