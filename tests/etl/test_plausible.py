"""Rows held against their neighbours: what is wrong is refused, what is real is told or quiet."""

from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from contracts.time.calendar import last_sessions
from etl.plausible import plausible
from etl.plausible.dividends import FEW, TWICE, UNPAID
from etl.plausible.dividends import UNIT as DIVIDEND_UNIT
from etl.plausible.levels import IDLE, MIXED, SCALE, UNIT
from etl.plausible.past import ACTION, BAR, Past
from etl.rules import PLACE, REASON

DAYS = last_sessions("XNYS", date(2024, 12, 30), 60)
SPLIT, DIVIDEND = "split", "dividend"
Action = tuple[int, str, float]


def walk(seed: int = 1, count: int = 60, deviation: float = 0.02) -> np.ndarray:
    """Closes of an ordinary instrument."""
    draw = np.random.default_rng(seed)
    return 40.0 * np.exp(np.cumsum(draw.normal(0, deviation, count)))


def frame(close: np.ndarray, name: str = "AAA", days: Any = DAYS, **columns: Any) -> pl.DataFrame:
    """Judged bars around those closes, each opening at the close before."""
    before = np.append(close[:1], close[:-1])
    opened = np.where(np.abs(np.log(close / before)) < 0.3, before, close)
    rows = pl.DataFrame(
        {
            "instrument_id": name,
            "interval": "1d",
            "session": list(days)[: len(close)],
            "open": opened,
            "high": np.maximum(opened, close) * 1.005,
            "low": np.minimum(opened, close) / 1.005,
            "close": close,
            "adjustment": columns.get("adjustment", "none"),
        }
    )
    moments = pl.col("session").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return rows.with_columns(event_time=moments).select(
        *BAR,
        pl.int_range(pl.len()).cast(pl.Int64).alias(PLACE),
        pl.lit(None, pl.String()).alias(REASON),
    )


def acted(*told: Action, name: str = "AAA") -> pl.DataFrame:
    """Judged actions: place of the session, kind, value."""
    rows = [(name, DAYS[at], kind, value) for at, kind, value in told]
    schema = {"instrument_id": pl.String, "ex_date": pl.Date, "kind": pl.String}
    made = pl.DataFrame(rows, schema=schema | {"value": pl.Float64}, orient="row")
    return made.with_row_index(PLACE).with_columns(
        pl.col(PLACE).cast(pl.Int64), pl.lit(None, pl.String()).alias(REASON)
    )


def judge(bars: pl.DataFrame, *told: Action, past: Past | None = None) -> dict[str, Any]:
    """Refused bars by place, refused actions by value, and what is told."""
    past, actions = past or Past(), acted(*told)
    found = plausible.bars(bars, actions.select(ACTION), past)
    beside, more = plausible.actions(actions, found, past)
    wrong = found.rows.filter(pl.col(REASON).is_not_null())
    lost = beside.filter(pl.col(REASON).is_not_null())
    return {
        "bars": dict(wrong.select(PLACE, REASON).iter_rows()),
        "actions": dict(lost.select("value", REASON).iter_rows()),
        "told": [*found.findings["said"], *more["said"]],
    }


QUIET: dict[str, Any] = {"bars": {}, "actions": {}, "told": []}


@pytest.mark.parametrize("seed", range(8))
def test_ordinary_prices_with_their_actions_are_quiet(seed: int) -> None:
    close = walk(seed, deviation=0.01 + 0.005 * seed)
    close[20:] /= 2.0
    close[40:] *= 10.0
    close[30:] *= 0.97
    told = [(20, SPLIT, 2.0), (40, SPLIT, 0.1), (30, DIVIDEND, 0.03 * close[29])]
    assert judge(frame(close), *told) == QUIET


@pytest.mark.parametrize("factor", [100.0, 0.01])
@pytest.mark.parametrize("rows", [[7], [7, 8, 9], [5, 20, 41], [59], list(range(30, 40))])
def test_bars_in_another_unit_are_refused_and_the_others_load(
    factor: float, rows: list[int]
) -> None:
    close = walk()
    close[rows] *= factor
    assert judge(frame(close)) == QUIET | {"bars": dict.fromkeys(rows, UNIT)}


def test_the_unit_of_what_is_stored_counts_however_long_the_other_lasts() -> None:
    close = walk()
    close[10:] *= 100.0
    past = Past(bars=frame(close[:10]).select(BAR))
    rest = frame(close[10:], days=DAYS[10:])
    assert judge(rest, past=past)["bars"] == dict.fromkeys(range(50), UNIT)
    # With nothing stored two bars in three are right, and without them none.
    assert judge(frame(close))["bars"] == dict.fromkeys(range(10), UNIT)
    assert judge(frame(close[:25]))["bars"] == dict.fromkeys(range(25), MIXED)


@pytest.mark.parametrize("factor", [0.4, 0.15, 0.05, 4.0, 12.0])
@pytest.mark.parametrize("overnight", [True, False])
def test_a_crash_and_a_leap_load(factor: float, overnight: bool) -> None:
    close = walk()
    close[30:] *= factor
    bars = frame(close)
    if not overnight:
        # The day itself goes all the way.
        there = pl.col(PLACE) == 30
        bars = bars.with_columns(
            pl.when(there).then(close[29]).otherwise("open").alias("open"),
            pl.when(there).then(max(close[29:31])).otherwise("high").alias("high"),
            pl.when(there).then(min(close[29:31])).otherwise("low").alias("low"),
        )
    found = judge(bars)
    assert (found["bars"], found["actions"]) == ({}, {})
    assert len(found["told"]) == overnight


@pytest.mark.parametrize("ratio", [2.0, 3.0, 1.5, 0.1, 1.25, 20.0, 0.0625])
def test_a_split_without_a_jump_is_refused_and_the_bars_load(ratio: float) -> None:
    found = judge(frame(walk()), (30, SPLIT, ratio))
    assert found == QUIET | {"actions": {ratio: IDLE}}


@pytest.mark.parametrize("ratio", [2.0, 5.0, 0.1])
def test_a_jump_without_a_split_is_told(ratio: float) -> None:
    close = walk()
    close[30:] /= ratio
    found = judge(frame(close))
    assert found["bars"] == {} and len(found["told"]) == 1
    assert "without a split" in found["told"][0]


@pytest.mark.parametrize("rows", [[29], [26, 27, 28], list(range(12, 21))])
def test_bars_that_missed_an_adjustment_are_refused(rows: list[int]) -> None:
    close = walk()
    close[30:] /= 5.0
    close[rows] *= 5.0
    found = judge(frame(close), (30, SPLIT, 5.0))
    assert found == QUIET | {"bars": dict.fromkeys(rows, SCALE)}


@pytest.mark.parametrize(
    ("share", "reason"), [(0.85, UNPAID), (0.2, UNPAID), (1.5, FEW), (100.0, FEW)]
)
def test_a_dividend_that_the_price_contradicts_is_refused(share: float, reason: str) -> None:
    close = walk(deviation=0.01)
    value = float(share * close[29])
    assert judge(frame(close), (30, DIVIDEND, value)) == QUIET | {"actions": {value: reason}}


@pytest.mark.parametrize("share", [0.001, 0.01, 0.05, 0.2, 0.6])
def test_a_dividend_that_the_price_pays_loads(share: float) -> None:
    close = walk()
    value = float(share * close[29])
    close[30:] *= 1 - share
    assert judge(frame(close), (30, DIVIDEND, value))["actions"] == {}


def test_a_dividend_is_of_the_shares_after_a_split_of_its_day() -> None:
    close = walk()
    value = float(0.3 * close[29])  # 90 % of what a share costs after the split
    close[30:] /= 3.0
    found = judge(frame(close), (30, SPLIT, 3.0), (30, DIVIDEND, value))
    assert found["actions"] == {value: UNPAID}


def test_strange_dividends_load_and_are_told() -> None:
    close = walk()
    each = [(at, DIVIDEND, 0.1) for at in (5, 25, 45)]
    assert judge(frame(close), *each, (46, DIVIDEND, 0.1))["told"] == [TWICE]
    odd = judge(frame(close), *each[:2], (35, DIVIDEND, 0.001), each[2])
    assert odd["told"] == [DIVIDEND_UNIT] and odd["actions"] == {}


@pytest.mark.parametrize("step", [5, 21])
def test_bars_a_week_or_a_month_apart_are_refused_and_other_symbols_load(step: int) -> None:
    days = last_sessions("XNYS", date(2024, 12, 30), 60 * step)[::step]
    slow = frame(walk(), "SLOW", days)
    fast = frame(walk(2), "FAST").with_columns(pl.col(PLACE) + 1000)
    assert judge(pl.concat([slow, fast]))["bars"] == dict.fromkeys(range(60), plausible.SPACED)


def test_a_stock_that_seldom_trades_is_quiet() -> None:
    draw = np.random.default_rng(4)
    rows = np.sort(draw.choice(60, 20, replace=False))
    close = walk()[rows]
    assert judge(frame(close, days=[DAYS[row] for row in rows])) == QUIET


@pytest.mark.slow
def test_session_by_session_says_the_same_as_at_once() -> None:
    close = walk(5)
    close[40:] /= 2.0
    close[[25, 26, 50]] *= 100.0
    told = [(40, SPLIT, 2.0), (30, DIVIDEND, float(0.9 * close[29])), (55, SPLIT, 4.0)]
    whole = judge(frame(close), *told)
    assert len(whole["bars"]) == 3 and len(whole["actions"]) == 2
    past, split = Past(), Counter[str]()
    bars, actions = frame(close), acted(*told)
    for at in range(60):
        today = bars.filter(pl.col(PLACE) == at)
        paid = actions.filter(pl.col("ex_date") == DAYS[at])
        found = plausible.bars(today, paid.select(ACTION), past)
        beside, _ = plausible.actions(paid, found, past)
        good = found.rows.filter(pl.col(REASON).is_null())
        split.update(found.rows[REASON].drop_nulls())
        split.update(beside[REASON].drop_nulls())
        stood = beside.filter(pl.col(REASON).is_null()).select(ACTION)
        past = Past(
            bars=pl.concat([past.bars, good.select(BAR)]),
            actions=pl.concat([past.actions, stood]),
        )
    assert split == Counter([*whole["bars"].values(), *whole["actions"].values()])


def test_a_split_adjusted_feed_stops_at_a_split_that_it_does_not_state() -> None:
    close = walk()
    past = Past(bars=frame(close[:50], adjustment="split").select(BAR))
    after = frame(close[50:] / 2.0, days=DAYS[50:], adjustment="split")
    assert judge(after, past=past)["bars"] == dict.fromkeys(range(10), plausible.UNSTATED)
    # A fall of no split's size is a fall.
    fell = frame(close[50:] * 0.45, days=DAYS[50:], adjustment="split")
    assert judge(fell, past=past)["bars"] == {}
    # Stated by now, the bars come as traded.
    stated = frame(close[50:] / 2.0, days=DAYS[50:])
    assert judge(stated, (50, SPLIT, 2.0), past=past) == QUIET


@pytest.fixture
def spread(folder: Any) -> Any:
    """The folder, with a year of sessions of two ordinary symbols."""
    folder.path.joinpath("bars.csv").write_text("")
    folder.path.joinpath("actions.csv").write_text("symbol,ex_date,kind,value\n")
    folder.add("bars.csv", "symbol,session,open,high,low,close,volume")
    for seed, symbol in enumerate(("AAA", "BBB")):
        for day, close in zip(DAYS, walk(seed), strict=True):
            prices = f"{close:.4f},{close * 1.01:.4f},{close / 1.01:.4f},{close:.4f}"
            folder.add("bars.csv", f"{symbol},{day},{prices},900")
    return folder


def replaced(folder: Any, symbol: str, at: int, *cells: float) -> None:
    """Put other prices into a row of bars.csv."""
    path: Path = folder.path / "bars.csv"
    lines = path.read_text().splitlines()
    start = f"{symbol},{DAYS[at]},"
    priced = start + ",".join(f"{cell}" for cell in cells)
    path.write_text("\n".join(priced if x.startswith(start) else x for x in lines) + "\n")


def test_a_load_refuses_what_is_implausible_and_keeps_the_rest(spread: Any, load_raw: Any) -> None:
    replaced(spread, "AAA", 30, 4000, 4001, 3999, 4000, 900)
    replaced(spread, "BBB", 31, 40, 4000, 39, 41, 900)
    spread.add("actions.csv", f"AAA,{DAYS[20]},dividend,85", f"BBB,{DAYS[20]},split,3")
    found = load_raw("files")
    assert sorted(found.reasons) == sorted(
        [UNIT, "prices of the bar are a hundredfold apart", FEW, IDLE]
    )
    assert len(found.good["bars"]) == 118


def test_a_row_known_after_its_collection_is_refused(folder: Any, load_raw: Any) -> None:
    folder.tell(
        id="z",
        published_at="2024-07-05T14:00:00Z",
        text="t",
        symbols=["AAA"],
        known_at="2031-01-01T00:00:00Z",
    )
    header, *rows = (folder.path / "bars.csv").read_text().splitlines()
    late = [f"{header},known_at", *(f"{row},2031-01-01T00:00:00Z" for row in rows[:1])]
    (folder.path / "bars.csv").write_text("\n".join([*late, *(f"{row}," for row in rows[1:])]))
    found = load_raw("files")
    assert found.reasons == ["headline was refused", *["known after it was collected"] * 2]
