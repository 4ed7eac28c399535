"""Panel columns from around the bars: the index, and macro values by vintage."""

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from panel_inputs import index_of, input_columns
from polars.testing import assert_frame_equal

from contracts.tables import BARS, MEMBERSHIPS, OBSERVATIONS, SECTOR
from contracts.time.calendar import session_close, session_open
from features.engine import evaluate
from features.facts import panels
from features.facts.facts import Request, read
from features.facts.panels import decision_panel
from features.feature import FEATURES
from features.input import INPUTS, PanelInput
from features.matrix.matrix import load_matrix, materialise
from features.panel.panel import Times
from features.panel.series import Values
from features.view import view

DAYS = np.array(["2025-06-02T20", "2025-06-03T20", "2025-06-04T20"], dtype="datetime64[us]")
DAY = np.timedelta64(1, "D")


def of_index(as_of: Times, index: pl.DataFrame) -> Values:
    return input_columns("index", as_of, {"market": index})["index_return"]


def test_an_index_is_the_mean_of_what_its_members_returned() -> None:
    index = index_of(DAYS[[0, 1, 0, 1, 2]], np.array([0.02, 0.1, 0.04, np.nan, -0.5]))
    np.testing.assert_allclose(index["level"], [1.03, 1.03 * 1.1, 1.03 * 1.1 * 0.5])
    column = of_index(DAYS, index)
    np.testing.assert_allclose(column, [np.nan, 0.1, -0.5])
    # Who was halted on the second day looks at both days' return.
    np.testing.assert_allclose(of_index(DAYS[[0, 2]], index)[1], 1.1 * 0.5 - 1)
    assert np.isnan(of_index(DAYS, index.clear())).all()
    assert np.isnan(of_index(DAYS + np.timedelta64(1, "h"), index)).all()


def observations(rows: list[tuple[str, str, float]]) -> pl.DataFrame:
    periods, known, values = zip(*rows, strict=True)
    frame = pl.DataFrame({"event_time": periods, "known_at": known, "value": values})
    times = pl.col("event_time", "known_at").str.to_datetime("%Y-%m-%dT%H:%M", time_unit="us")
    zoned = frame.with_columns(times.dt.replace_time_zone("UTC"))
    return zoned.with_columns(series=pl.lit("SIM:INFLATION"))


def test_a_macro_value_is_that_of_the_newest_period_in_the_vintage_known() -> None:
    told = observations(
        [
            ("2025-05-01T00:00", "2025-06-02T12:00", 2.0),
            ("2025-04-01T00:00", "2025-06-03T12:00", 9.0),  # a revision of an older period
            ("2025-05-01T00:00", "2025-06-04T12:00", 2.5),
            ("2025-06-01T00:00", "2025-06-04T21:00", 3.0),  # after the close
        ]
    )
    found = input_columns("macro", DAYS, {"observations": told})
    assert found["inflation"].tolist() == [2.0, 2.0, 2.5]
    assert np.isnan(found["payrolls"]).all()
    assert np.isnan(
        input_columns("macro", DAYS - 30 * DAY, {"observations": told})["inflation"]
    ).all()


def panel_of(market: Any, first: int, last: int = -1, reach: int = 10) -> Any:
    days = market.sessions[first], market.sessions[last]
    return decision_panel(
        read(market.store, Request(market.cut(*days), reach, text_model="m-1")), reach
    )


def of(panel: Any, instrument: str, column: str) -> dict[Any, float]:
    rows = (panel.segment == panel.instruments.index(instrument)) & panel.decided
    return dict(zip(panel.session[rows].tolist(), panel.columns[column][rows], strict=True))


@pytest.mark.integration
def test_the_index_does_not_depend_on_the_range_and_is_never_restated(market: Any) -> None:
    market.load()
    wanted = (market.close[:, 1:] / market.close[:, :-1]).mean(axis=0) - 1
    found = of(panel_of(market, 0), "SIM001", "index_return")
    np.testing.assert_allclose(list(found.values())[1:], wanted)
    later = of(panel_of(market, 30), "SIM001", "index_return")
    np.testing.assert_allclose(list(later.values()), wanted[29:], rtol=1e-9)
    known = market.close_of(market.sessions[42])
    market.append(BARS, [market.bar(1, 40, close=1.0, low=1.0, known_at=known)])
    again = of(panel_of(market, 30), "SIM001", "index_return")
    np.testing.assert_allclose(list(again.values()), wanted[29:], rtol=1e-9)


@pytest.mark.integration
def test_who_is_asked_once_for_all_says_what_each_would_be_told(
    market: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.load()
    alike = [one for one in INPUTS if one.reading.alike]
    assert {one.name for one in alike} >= {"clock", "index", "macro", "rest"}
    once = panel_of(market, 30)

    def each(one: PanelInput, handed: Any) -> Any:
        return lambda own: one.values(own, handed.to(one, own))

    monkeypatch.setattr(panels, "_asking", each)
    apart = panel_of(market, 30)
    for one in alike:
        for name in one.columns:
            np.testing.assert_array_equal(once.columns[name], apart.columns[name], name)


@pytest.mark.integration
def test_a_sector_counts_from_when_it_was_told(market: Any) -> None:
    market.load()
    days, close = market.sessions, market.close
    rows = [
        {"instrument_id": f"SIM00{n}", "universe": SECTOR + name, "valid_from": days[begin]}
        | {"valid_to": None, "known_at": market.close_of(days[begin])}
        for n, name, begin in ((1, "Energy", 0), (2, "Energy", 30), (3, "Health", 0))
    ]
    market.append(MEMBERSHIPS, rows)
    panel = panel_of(market, 0)
    values = evaluate(panel, [FEATURES.get("sector_relative_return")])["sector_relative_return"]
    own = close[:, 1:] / close[:, :-1] - 1
    for place, name in enumerate(market.instruments):
        found = values[(panel.segment == panel.instruments.index(name)) & panel.decided]
        joint = own[0] - own[:2].mean(axis=0)
        wanted = {0: joint, 1: -joint, 2: np.zeros(len(joint))}[place].copy()
        wanted[:29] = np.nan if place == 1 else 0.0
        np.testing.assert_allclose(found[1:], wanted, atol=1e-12)


@pytest.mark.integration
def test_macro_values_count_from_their_release(market: Any) -> None:
    market.load()
    session = market.sessions[40]
    released = session_open("XNYS", session) - timedelta(hours=1)
    late = session_close("XNYS", session) + timedelta(seconds=1)
    row = {"series": "SIM:INFLATION", "source": "simulated", "instrument_id": None}
    month = market.close_of(market.sessions[20])
    market.append(OBSERVATIONS, [row | {"event_time": month, "value": 2.0, "known_at": released}])
    market.append(OBSERVATIONS, [row | {"event_time": month, "value": 7.0, "known_at": late}])
    found = list(of(panel_of(market, 35), "SIM002", "inflation").values())
    assert np.isnan(found[:5]).all() and found[5:8] == [2.0, 7.0, 7.0]


@pytest.mark.integration
def test_a_session_alone_equals_the_whole_range(market: Any) -> None:
    """With text, macro and index: incremental and in one go."""
    market.load()
    for place in (3, 12, 40, 55):
        at = market.close_of(market.sessions[place]) - timedelta(hours=2)
        market.headline(at, f"news {place}", 0.1 * place - 2)
    cut, chosen = market.cut(market.sessions[0], market.sessions[-1]), view("daily_2")
    materialise(market.store, cut, chosen, "m-1")
    whole = pl.from_arrow(load_matrix(market.store, cut.since(market.sessions[50]), chosen, "m-1"))
    panel = panel_of(market, 50, reach=view("daily_2").reach)
    values = evaluate(panel, view("daily_2").members, dtype=np.float32)
    alone = pl.DataFrame(
        {name: pl.Series(x[panel.decided]).fill_nan(None) for name, x in values.items()}
    ).with_columns(
        session=pl.Series(panel.session[panel.decided]),
        instrument_id=pl.Series(np.array(panel.instruments)[panel.segment[panel.decided]]),
    )
    assert isinstance(whole, pl.DataFrame)
    columns = ["session", "instrument_id", *view("daily_2").features]
    assert_frame_equal(
        alone.sort("session", "instrument_id").select(columns), whole.select(columns), rel_tol=1e-6
    )
    assert FEATURES.get("beta_60").name in columns
