"""Panel inputs: the conformance suite, guards that find planted faults, and a kind of one file."""

import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import features.columns
import features.inputs
from contracts.tables import OBSERVATIONS
from features import input as declared
from features.feature import FEATURES
from features.guards import of_features
from features.guards.of_inputs import INPUT_GUARDS, input_broken
from features.input import INPUTS, InputError, Made, PanelInput, Rows, panel_input
from features.inputs.macro import YEAR
from features.labels.total_return import TotalReturn
from features.matrix.matrix import materialise, online, written
from features.view import FeatureView, view

KNOWN = ["bars", "clock", "index", "macro", "news", "rest", "sector"]


@pytest.mark.parametrize("name", INPUTS.names())
def test_every_input_passes_its_guards(name: str) -> None:
    assert input_broken(INPUTS.get(name)) == []


def test_the_inputs_are_found() -> None:
    assert set(KNOWN) <= set(INPUTS.names())
    assert declared.columns()["close"].name == "bars"


def test_columns_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="the columns inflation are those of another input"):
        panel_input(columns={"inflation": "again"})(lambda rows, known: {})  # noqa: ARG005


def tampered(name: str, **change: Any) -> PanelInput:
    return replace(ORIGINAL[name], **change)


def test_an_input_that_gives_others_than_its_columns_is_refused() -> None:
    rows = Rows("A", "XNYS", np.array(["2025-06-30"], "datetime64[D]"), np.zeros(1, "M8[us]"))
    for found in ({}, {"sector": np.zeros(2)}, {"sector": np.zeros(1), "more": np.zeros(1)}):
        with pytest.raises(InputError, match=r"sector: expected \(1,\) values of sector"):
            tampered("sector", compute=lambda *_, f=found: f).values(rows, {})


ORIGINAL = {one.name: one for one in INPUTS}
MACRO, SECTOR = ORIGINAL["macro"], ORIGINAL["sector"]


def by_period(rows: Rows, known: Any) -> Any:
    """A value counts from the end of its period, before its release."""
    told = known["observations"].with_columns(known_at="event_time")
    return MACRO.compute(rows, {"observations": told})


def test_the_guards_find_planted_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(one: PanelInput) -> list[str]:
        monkeypatch.setattr(INPUTS, "_members", INPUTS._members | {one.name: one})
        return input_broken(one)

    assert broken(tampered("macro", compute=by_period)) == ["hindsight"]
    assert broken(tampered("macro", sample=Made())) == ["sampled"]
    short = (replace(MACRO.needs[0], back=timedelta(days=-3)),)
    assert broken(tampered("macro", needs=short)) == ["back"]

    def pooled(rows: Rows, known: Any) -> Any:
        return {"sector": np.full(len(rows.as_of), float(len(known["pool"])))}

    def pool(made: Any) -> Any:
        [frame] = SECTOR.sample.facts(made).values()  # type: ignore[misc]
        return {"pool": frame.rename({"instrument_id": "who"})}

    assert broken(tampered("sector", compute=pooled, sample=Made(facts=pool))) == [
        "hindsight",
        "alone",
    ]
    assert set(INPUT_GUARDS) == {"sampled", "hindsight", "alone", "back"}


# What a stranger writes to bring fundamentals: a file of inputs and a file of features.
TOY_INPUT = '''
"""Panel columns of what companies report."""

from datetime import timedelta

import numpy as np
import polars as pl

from contracts.tables import OBSERVATIONS
from features.input import Columns, Known, Made, Need, Rows, Sample, newest, panel_input

BACK = timedelta(days=400)


def made(made: Sample) -> Known:
    """Every twenty sessions a value of the session before, told a day after it, another each."""
    ends = pl.Series(made.as_of[::20]).dt.replace_time_zone("UTC")
    draw = np.random.default_rng(made.seed)
    return {"observations": pl.concat(
        pl.DataFrame({"event_time": ends, "known_at": ends.dt.offset_by("1d"),
                      "value": draw.normal(size=len(ends))}).with_columns(
            instrument_id=pl.lit(name))
        for name in made.instruments
    )}


@panel_input(
    columns={"toy_margin": "newest margin reported by the close"},
    needs=(Need(OBSERVATIONS, series=("margin",), back=BACK, own=True),),
    sample=Made(facts=made),
)
def toy_fundamentals(rows: Rows, known: Known) -> Columns:
    """Null before the first report."""
    return {"toy_margin": newest(rows, known["observations"], BACK)}
'''
TOY_FEATURE = '''
"""How a company does."""

from features.feature import Inputs, feature
from features.panel import cross
from features.panel.series import Values


@feature(lookback=1, inputs=("toy_margin",), unit="ratio")
def toy_margin_level(x: Inputs) -> Values:
    """The newest margin."""
    return x.toy_margin


@feature(lookback=1, inputs=("toy_margin",), unit="rank", cross_section=True)
def toy_margin_rank(x: Inputs) -> Values:
    """Its rank among the universe."""
    return cross.rank(x.toy_margin)
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FeatureView]:
    """Both files in their folders, found like any other, and a view of their features."""
    for registry in (INPUTS, FEATURES):
        registry.discover()
        monkeypatch.setattr(registry, "_members", dict(registry._members))
        monkeypatch.setattr(registry, "_discovered", False)
    monkeypatch.setattr(declared, "_COLUMNS", dict(declared._COLUMNS))
    for package, name, text in (
        (features.inputs, "toy_fundamentals", TOY_INPUT),
        (features.columns, "toy_quality", TOY_FEATURE),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{name}.py").write_text(text)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    importlib.invalidate_caches()
    known = ("return_1", "inflation_level", "toy_margin_level", "toy_margin_rank")
    yield FeatureView("toy", known, TotalReturn(horizon=1))
    for name in ("features.inputs.toy_fundamentals", "features.columns.toy_quality"):
        sys.modules.pop(name, None)


def test_a_kind_of_fact_of_one_file_passes_all_guards(toy: FeatureView) -> None:
    assert toy.inputs == ("bars", "macro", "toy_fundamentals")
    assert input_broken(INPUTS.get("toy_fundamentals")) == []
    found = of_features.broken([FEATURES.get(f"toy_margin_{kind}") for kind in ("level", "rank")])
    assert {guard: names for guard, names in found.items() if names} == {}
    assert set(view("daily_3").inputs) == {*KNOWN} - {"sector"}


def told(market: Any, instrument: str | None, place: int, value: float, late: int = 0) -> Any:
    """A margin of a session, published an hour before the close of one `late` sessions later."""
    about, known = market.sessions[place], market.sessions[place + late]
    row = {"series": "margin", "event_time": market.close_of(about), "source": "reports"}
    row |= {"instrument_id": instrument, "value": value}
    return row | {"known_at": market.close_of(known) - timedelta(hours=1 if late else 0)}


@pytest.mark.integration
def test_fundamentals_go_through_store_batch_and_online(market: Any, toy: FeatureView) -> None:
    market.load()
    rows = [told(market, "SIM001", 10, 1.0), told(market, "SIM002", 10, 2.0)]
    rows += [told(market, None, 10, 99.0), told(market, "SIM009", 10, 77.0)]
    rows += [told(market, "SIM001", 30, 1.5, late=3)]
    market.append(OBSERVATIONS, rows)
    # A restatement of the first value after the second is there, and one of the second.
    market.append(OBSERVATIONS, [told(market, "SIM001", 10, 5.0, late=30)])
    market.append(OBSERVATIONS, [told(market, "SIM001", 30, 1.75, late=12)])
    store, whole = market.store, market.cut(market.sessions[0], market.sessions[-1])
    assert materialise(store, whole, toy) == 60
    for place, one, other in (
        (9, None, None),
        (10, 1.0, 2.0),
        (32, 1.0, 2.0),
        (33, 1.5, 2.0),
        (41, 1.5, 2.0),
        (42, 1.75, 2.0),
        (59, 1.75, 2.0),
    ):
        day = market.sessions[place]
        batch = written(store, whole.until(day), toy).sort("instrument_id")
        assert batch["toy_margin_level"].to_list() == [one, other, None], place
        fresh = online(store, whole.until(day), toy).sort("instrument_id")
        assert fresh.select(toy.features).equals(batch.select(toy.features)), place
    assert batch["toy_margin_rank"].to_list() == [0.25, 0.75, None]
    none = written(store, whole.until(market.sessions[20]), toy)["inflation_level"]
    assert none.null_count() == 3, "the economy's series are no instrument's"


@pytest.mark.integration
def test_a_report_that_grows_old_is_forgotten_in_batch_as_online(
    market: Any, toy: FeatureView
) -> None:
    market.load()
    row = told(market, "SIM001", 0, 1.0)
    row["event_time"] -= timedelta(days=380)
    market.append(OBSERVATIONS, [row])
    store, days = market.store, market.sessions
    whole, seen = market.cut(days[0], days[-1]), set()
    materialise(store, whole, toy)
    for day in days[::7]:
        batch, fresh = (of(store, whole.until(day), toy) for of in (written, online))
        assert batch.select(toy.features).equals(fresh.select(toy.features))
        seen.update(batch.filter(instrument_id="SIM001")["toy_margin_level"].to_list())
    assert seen == {1.0, None}


@pytest.mark.integration
def test_a_discontinued_series_is_null_in_batch_as_online(market: Any) -> None:
    market.load()
    row = told(market, None, 0, 2.0) | {"series": "SIM:INFLATION"}
    row["event_time"] -= YEAR - timedelta(days=20)
    market.append(OBSERVATIONS, [row])
    one = FeatureView("macro_alone", ("return_1", "inflation_level"), TotalReturn(horizon=1))
    store, days = market.store, market.sessions
    whole = market.cut(days[0], days[-1])
    materialise(store, whole, one)
    levels = []
    for day in (days[5], days[-1]):
        batch, fresh = (of(store, whole.until(day), one) for of in (written, online))
        assert batch.select(one.features).equals(fresh.select(one.features))
        levels.append(batch["inflation_level"][0])
    assert levels == [2.0, None]
