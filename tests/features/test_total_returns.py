"""Total returns of random paths, through the folder's rules, against counting shares.

The other side buys one share and counts: splits multiply it, dividends are cash until the next
bar, whose close buys more. It knows nothing of factors.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from contracts.tables import ACTIONS, BARS
from etl.rules import PLACE, REASON, Context, judge
from etl.source import raw_schema
from etl.splits import as_traded
from features.facts.facts import Facts
from features.facts.panels import newest_panel
from features.inputs.adjust import PRICES, Actions, adjusted

SESSIONS = 12
FIRST = date(2024, 3, 4)
DAYS = [FIRST + timedelta(days=n) for n in range(SESSIONS)]
EVE = datetime(2024, 3, 1, tzinfo=UTC)
LATER = datetime(2024, 6, 1, tzinfo=UTC)
RATIOS = (2.0, 3.0, 7.0, 1.5, 10.0, 0.5, 0.1, 1.05)


@dataclass
class Path:
    """One instrument: its bars as traded, its stated actions, and what a share became."""

    name: str
    feed: str
    days: list[int] = field(default_factory=list)
    close: list[float] = field(default_factory=list)
    worth: list[float] = field(default_factory=list)
    stated: list[dict[str, Any]] = field(default_factory=list)
    splits: list[tuple[int, float]] = field(default_factory=list)


def drawn(draw: np.random.Generator, number: int) -> Path:
    """A path with splits, dividends, halts, withdrawals and, for some, an early end."""
    path = Path(f"P{number:05}", ("none", "split", "dividends too")[number % 3])
    price, shares, cash = float(draw.uniform(5, 500)), 1.0, 0.0
    end = SESSIONS if draw.random() < 0.8 else int(draw.integers(2, SESSIONS))
    for day in range(end):
        price *= float(np.exp(draw.normal(0, 0.03)))
        for _ in range(int(draw.choice([0, 1, 2], p=[0.85, 0.1, 0.05])) if day else 0):
            ratio = RATIOS[draw.integers(len(RATIOS))]
            real = draw.random() < 0.85
            _state(path, day, "split", ratio, real)
            if real:
                shares, price = shares * ratio, price / ratio
                path.splits.append((day, ratio))
        for _ in range(int(draw.choice([0, 1, 2, 3], p=[0.7, 0.15, 0.1, 0.05])) if day else 0):
            amount = float(f"{price * draw.uniform(0.001, 0.06):.5g}")
            real = draw.random() < 0.85
            _state(path, day, "dividend", amount, real)
            if real:
                cash, price = cash + shares * amount, price - amount
        if day and draw.random() < 0.25:
            continue  # halted
        price = float(f"{price:.6g}")
        shares, cash = shares + cash / price, 0.0
        path.days.append(day)
        path.close.append(price)
        path.worth.append(shares * price)
    return path


def _state(path: Path, day: int, kind: str, value: float, real: bool) -> None:
    row = {"instrument_id": path.name, "ex_date": DAYS[day], "kind": kind, "source": "files"}
    row |= {"value": value, "known_at": EVE, "id": str(len(path.stated)), "withdrawn": False}
    path.stated.append(row | {"currency": "USD" if len(path.stated) % 2 else None})
    if not real:
        path.stated.append(row | {"withdrawn": True, "known_at": LATER})
    elif kind == "dividend" and day % 4 == 1:
        # In cents, and restated: what was said first is wrong.
        path.stated[-1] |= {"value": value * 0.7}
        again = {"value": 100.0 * value, "currency": "USX", "known_at": LATER}
        path.stated.append(row | again)


def bars(paths: list[Path]) -> pl.DataFrame:
    """Bars as the feeds deliver them, a third of them as traded."""
    parts = []
    for path in paths:
        close = np.array(path.close)
        if path.feed != "none":
            for day, ratio in path.splits:
                close = close / np.where(np.array(path.days) < day, ratio, 1.0)
        mark = "none" if path.feed == "none" else "split"
        days = [DAYS[day] for day in path.days]
        parts.append({"symbol": path.name, "session": days, "close": close, "adjustment": mark})
    return pl.concat([pl.DataFrame(part) for part in parts])


def settled(paths: list[Path]) -> pl.DataFrame:
    """The actions as facts, by the rules."""
    rows = [row for path in paths for row in path.stated]
    raw = pl.from_arrow(
        pa.Table.from_pylist(
            [row | {PLACE: place} for place, row in enumerate(rows)],
            schema=raw_schema(ACTIONS).append(pa.field(PLACE, pa.int64())),
        )
    )
    listed = pl.DataFrame({"instrument_id": [path.name for path in paths]}).with_columns(
        calendar=pl.lit("XNYS"), currency=pl.lit("USD")
    )
    assert isinstance(raw, pl.DataFrame)
    found = judge(
        "actions",
        raw,
        Context(datetime(2025, 1, 1, tzinfo=UTC), listed, pl.DataFrame(), pl.DataFrame()),
    )
    assert found[REASON].null_count() == found.height
    return found


def made(seed: int, count: int) -> list[Path]:
    draw = np.random.default_rng(seed)
    return [drawn(draw, number) for number in range(count)]


def newest(actions: pl.DataFrame) -> pl.DataFrame:
    key = ["instrument_id", "ex_date", "kind"]
    return actions.sort(*key, "known_at").unique(key, keep="last", maintain_order=True)


@pytest.mark.parametrize("count", [1_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_random_paths_are_worth_what_counting_shares_says(count: int) -> None:
    paths = made(20, count)
    facts = newest(settled(paths))
    true = [(path.name, DAYS[day], ratio) for path in paths for day, ratio in path.splits]
    splits = pl.DataFrame(true, schema=["symbol", "ex_date", "value"], orient="row")
    traded = as_traded(bars(paths), "session", splits, ("close",))
    undone = traded.filter(pl.col("symbol").is_in(splits["symbol"].to_list()))
    assert set(undone["adjustment"]) == {"none"}
    rows = traded.partition_by("symbol", as_dict=True, maintain_order=True)
    acts = facts.partition_by("instrument_id", as_dict=True, maintain_order=True)
    for path in paths:
        own = rows[path.name,]
        assert own["close"].to_list() == pytest.approx(path.close, rel=2e-7)
        told = acts.get((path.name,), facts.clear())
        kinds = [
            Actions(part["ex_date"].to_numpy(), part["value"].to_numpy())
            for part in (told.filter(kind=kind) for kind in ("split", "dividend"))
        ]
        close = own["close"].to_numpy()
        columns = {name: close for name in (*PRICES, "volume")}
        total = adjusted(
            columns, own["session"].to_numpy(), own["adjustment"].to_numpy(), kinds[0], kinds[1]
        )["total"]
        worth = np.array(path.worth)
        np.testing.assert_allclose(total / total[0], worth / worth[0], rtol=2e-6)


def test_the_panel_says_the_same_after_restatements() -> None:
    some = made(21, 60)
    actions = settled(some).select(ACTIONS.names)
    close = {(p.name, DAYS[d]): c for p in some for d, c in zip(p.days, p.close, strict=True)}
    rows = []
    for (name, day), price in close.items():
        at = datetime(day.year, day.month, day.day, 21, tzinfo=UTC)
        prices = dict.fromkeys((*PRICES, "volume"), price)
        row = {"instrument_id": name, "interval": "1d", "session": day, "event_time": at}
        row |= {"source": "files", "adjustment": "none", "known_at": at, "start_time": None}
        if day.day % 3 == 0:
            rows.append(row | prices | {"close": price * 1.7})
            row["known_at"] = LATER
        rows.append(row | prices)
    frame = pl.DataFrame(rows, infer_schema_length=None).select(BARS.names)
    span = {"instrument_id": [p.name for p in some], "universe": "u", "valid_from": FIRST}
    members = pl.DataFrame(span).with_columns(
        pl.lit(None, pl.Date()).alias("valid_to"),
        pl.lit(EVE).alias("known_at"),
        pl.lit("24/7").alias("calendar"),
    )
    order = ["instrument_id", "event_time", "source", "known_at"]
    facts = Facts(
        first=FIRST,
        end=LATER + timedelta(days=1),
        members=members,
        symbols=members.clear().with_columns(symbol=pl.lit("")),
        bars=frame.sort(order),
        actions=actions.sort("instrument_id", "ex_date", "kind", "known_at"),
        interval="1d",
    )
    panel = newest_panel(facts)
    for place, name in enumerate(panel.instruments):
        worth = np.array(next(p.worth for p in some if p.name == name))
        total = panel.columns["total"][panel.offsets[place] : panel.offsets[place + 1]]
        np.testing.assert_allclose(total / total[0], worth / worth[0], rtol=1e-9)
