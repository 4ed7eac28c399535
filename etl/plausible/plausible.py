"""Bars held against their neighbours, their splits and their spacing; dividends against prices.

It goes beyond `etl.rules`, which look at one row: here a row is wrong because the others say so.
What is judged may come session by session: then what is stored stands for what lies before.
"""

from dataclasses import dataclass

import polars as pl

from etl.plausible import dividends
from etl.plausible.levels import IDLE, MIXED, SCALE, UNIT, sorted_out
from etl.plausible.moves import SERIES, jumping, moves
from etl.plausible.past import ACTION, BAR, Past
from etl.rules import PLACE, REASON

SPACED = "bars are a week or more apart, though their interval is 1d"
UNSTATED = "split-adjusted price jumps by a split's ratio: state the split or load all bars again"
# Reasons that a redrive asks for by name, since a person may know better.
PLAUSIBLE = (UNIT, MIXED, SCALE, IDLE, SPACED, UNSTATED, *dividends.REASONS)

_GAP = 0.3  # less than a split of 3:2
_RATIOS = (1.5, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50)
FINDING = {
    "table_name": pl.String(),
    "instrument_id": pl.String(),
    "session": pl.Date(),
    "said": pl.String(),
}


@dataclass(frozen=True)
class Judged:
    """Judged rows with more reasons; findings: `FINDING`, what is told of rows that stay.

    idle: instrument_id and ex_date of splits that the prices know nothing of. moves: see
    `etl.plausible.moves.moves`, of the bars that stay.
    """

    rows: pl.DataFrame
    findings: pl.DataFrame
    idle: pl.DataFrame
    moves: pl.DataFrame


def bars(judged: pl.DataFrame, actions: pl.DataFrame, past: Past) -> Judged:
    """Refuse bars that do not fit their neighbours. actions: `ACTION` of the batch, sound ones."""
    sound = judged.filter(pl.col(REASON).is_null())
    splits = _splits(actions, past)
    steps = moves(sound.select(*BAR, PLACE), past.bars, splits, PLACE)
    refused = [_spaced(steps), _across(steps)]
    findings, idle = [], []
    ratios = _ratios(splits)
    for series in jumping(steps, PLACE):
        own = steps[series.rows.tolist()]
        stated = ratios.get(series.instrument_id, [])
        for verdict in sorted_out(series.jumps, own.height, series.known, stated):
            part = own[verdict.first : verdict.last]
            if verdict.refused:
                refused.append(part.select(PLACE, pl.lit(verdict.said).alias("why")))
            elif verdict.said == IDLE:
                idle.append(part.select("instrument_id", "session"))
            else:
                findings.append(_found("bars", part.with_columns(said=pl.lit(verdict.said))))
    rows = _with_reasons(judged, refused)
    gone = pl.concat(refused)
    return Judged(
        rows,
        pl.concat([pl.DataFrame(schema=FINDING), *findings]),
        _between(splits, steps, idle),
        steps.join(gone, on=PLACE, how="anti", maintain_order="left"),
    )


def _splits(actions: pl.DataFrame, past: Past) -> pl.DataFrame:
    key = ["instrument_id", "ex_date", "kind"]
    both = pl.concat([actions.select(ACTION), past.actions.select(ACTION)])
    known = both.unique(key, keep="first", maintain_order=True)
    return known.filter(pl.col("value") != 1.0, kind="split").sort(key)


def _ratios(splits: pl.DataFrame) -> dict[str, list[float]]:
    grouped = splits.group_by("instrument_id").agg("value")
    return {str(name): values for name, values in grouped.iter_rows()}


def _found(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    day = "session" if "session" in rows.columns else "ex_date"
    return rows.select(
        pl.lit(table).alias("table_name"),
        "instrument_id",
        pl.col(day).alias("session"),
        "said",
    )


def _with_reasons(judged: pl.DataFrame, refused: list[pl.DataFrame]) -> pl.DataFrame:
    why = pl.concat(refused).unique(PLACE, keep="first", maintain_order=True)
    if not why.height:
        return judged
    both = judged.join(why, on=PLACE, how="left", maintain_order="left")
    return both.with_columns(pl.coalesce(REASON, "why").alias(REASON)).select(judged.columns)


def _spaced(steps: pl.DataFrame) -> pl.DataFrame:
    """New bars of daily series whose bars are regularly a week or more apart."""
    days = pl.col("days")
    near = (days - days.median()).abs() <= 0.25 * days.median()
    daily = steps.filter(interval="1d").group_by(SERIES)
    told = daily.agg(days.count().alias("n"), days.median().alias("median"), near.mean())
    slow = told.filter(pl.col("n") >= 4, pl.col("median") >= 5.5, pl.col("days") >= 0.8)
    rows = steps.join(slow, on=SERIES, how="semi").filter(pl.col(PLACE).is_not_null())
    return rows.select(PLACE, pl.lit(SPACED).alias("why"))


def _across(steps: pl.DataFrame) -> pl.DataFrame:
    """New bars of series that go on split-adjusted over a split that nobody states."""
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in SERIES)
    before = pl.when(same).then(pl.col("adjustment").shift()) != "none"
    raw = pl.col("raw").abs()
    gone = pl.col("gap").abs() > pl.max_horizontal(pl.lit(_GAP), 8.0 * pl.col("deviation"))
    simple = pl.any_horizontal((raw - pl.lit(float(ratio)).log()).abs() < 0.04 for ratio in _RATIOS)
    first = pl.col(PLACE).is_not_null() & pl.when(same).then(pl.col(PLACE).shift().is_null())
    still = pl.col("adjustment") != "none"
    why = pl.when(first & before & still & gone & simple).then(pl.lit(UNSTATED))
    marked = steps.with_columns(why.alias("why"))
    after = marked.with_columns(pl.col("why").forward_fill().over(SERIES))
    return after.filter(pl.col("why").is_not_null(), pl.col(PLACE).is_not_null()).select(
        PLACE, "why"
    )


def _between(splits: pl.DataFrame, steps: pl.DataFrame, idle: list[pl.DataFrame]) -> pl.DataFrame:
    """The splits that hold from those bars on, and not from the bars before them."""
    found = splits.select("instrument_id", "ex_date").clear()
    if not idle:
        return found
    since = pl.col("session") - pl.duration(days=pl.col("days"))
    spans = steps.with_columns(since=since).join(
        pl.concat(idle), on=["instrument_id", "session"], how="semi"
    )
    joined = splits.join(spans.select("instrument_id", "session", "since"), on="instrument_id")
    inside = (pl.col("ex_date") > pl.col("since")) & (pl.col("ex_date") <= pl.col("session"))
    return joined.filter(inside).select(found.columns).unique()


def actions(judged: pl.DataFrame, told: Judged, past: Past) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Refuse splits and dividends that the batch's bars contradict; the rows, and `FINDING`s.

    told: what `bars` found of them.
    """
    sound = judged.filter(pl.col(REASON).is_null())
    paid = sound.filter(kind="dividend")
    gone = sound.filter(kind="split").join(told.idle, on=["instrument_id", "ex_date"], how="semi")
    idle = gone.select(PLACE, pl.lit(IDLE).alias("why"))
    doubted = dividends.doubted(paid.select(*ACTION, PLACE), told.moves, PLACE)
    rows = _with_reasons(judged, [idle, doubted])
    left = rows.filter(pl.col(REASON).is_null(), kind="dividend")
    strange = dividends.odd(left.select(ACTION), past.actions)
    return rows, _found("actions", strange)
