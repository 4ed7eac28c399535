"""Which raw rows become facts: a declared list of rules, the same in process and inside Spark."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

import polars as pl
import pyarrow as pa

from contracts.table import KNOWN_AT, TEXT, Table
from contracts.tables import TABLES
from etl.source import FAULT, raw_schema

REASON = "reason"
PLACE = "place"  # a row's position among the rows of its table, as delivered
_PRICES = ("open", "high", "low", "close")
_ADJUSTMENTS = ("none", "split", "split_dividend")
_MOMENT = pl.Datetime("us", "UTC")
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Context:
    """What rows are judged against, beside themselves.

    collected_at: when the source was asked. instruments: columns instrument_id, calendar.
    sheet, spans: see `etl.sheet`. refused: native ids of refused headlines.
    """

    collected_at: datetime
    instruments: pl.DataFrame
    sheet: pl.DataFrame
    spans: pl.DataFrame
    refused: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Rule:
    """Rows for which `refuses` is true are refused with `reason`; null counts as false."""

    reason: str
    refuses: pl.Expr


def _any(expressions: Iterable[pl.Expr]) -> pl.Expr:
    return reduce(or_, expressions)


_KNOWN_EARLY = Rule("known before it happened", pl.col("known_at") < pl.col("event_time"))
_UNLISTED = Rule("unknown symbol", pl.col("calendar").is_null())
_TEXTS = (
    Rule("text is empty", pl.col("text").str.strip_chars() == ""),
    Rule("text holds a null character", pl.col("text").str.contains("\x00", literal=True)),
)

RULES: dict[str, tuple[Rule, ...]] = {
    "trading_sessions": (
        Rule(
            "one of opens and closes is missing",
            pl.col("opens").is_null() ^ pl.col("closes").is_null(),
        ),
        Rule("it closes before it opens", pl.col("closes") <= pl.col("opens")),
        Rule(
            "it opens more than a day from its date",
            ~(pl.col("opens") - pl.col("session").cast(_MOMENT)).is_between(-_DAY, 2 * _DAY),
        ),
    ),
    "bars": (
        _UNLISTED,
        Rule(
            "date lies beyond what the calendar knows",
            ~pl.col("session").is_between("known_from", "known_until"),
        ),
        Rule("date is no session of the calendar", pl.col("closes").is_null()),
        Rule("price is missing", _any(pl.col(p).is_null() for p in _PRICES)),
        Rule("price is not finite", _any(pl.col(p).is_infinite() for p in _PRICES)),
        Rule("price is not positive", _any(pl.col(p) <= 0 for p in _PRICES)),
        Rule("high is below low", pl.col("high") < pl.col("low")),
        Rule(
            "high is below open or close",
            pl.col("high") * (1 + 1e-9) < pl.max_horizontal("open", "close"),
        ),
        Rule(
            "low is above open or close",
            pl.col("low") * (1 - 1e-9) > pl.min_horizontal("open", "close"),
        ),
        Rule("volume is negative or not finite", ~pl.col("volume").is_between(0, 1e18)),
        Rule("adjustment is unknown", ~pl.col("adjustment").is_in(_ADJUSTMENTS)),
        Rule("interval is unknown", ~pl.col("interval").is_in(("1d", "1m"))),
        Rule(
            "time is not the session's close",
            (pl.col("interval") == "1d") & (pl.col("event_time") != pl.col("closes")),
        ),
        Rule(
            "time lies outside the session",
            (pl.col("event_time") <= pl.col("opens")) | (pl.col("event_time") > pl.col("closes")),
        ),
        Rule("bar is still forming", pl.col("event_time") > pl.col("collected_at")),
        _KNOWN_EARLY,
    ),
    "actions": (
        _UNLISTED,
        Rule("kind is neither split nor dividend", ~pl.col("kind").is_in(("split", "dividend"))),
        Rule("value is not a positive number", ~pl.col("value").is_between(1e-9, 1e9)),
    ),
    "headlines": (
        *_TEXTS,
        Rule("headline is from the future", pl.col("event_time") > pl.col("collected_at")),
        _KNOWN_EARLY,
    ),
    "headline_symbols": (
        Rule("headline was refused", pl.col("headline_refused")),
        _UNLISTED,
        _KNOWN_EARLY,
    ),
    "documents": (
        _UNLISTED,
        *_TEXTS,
        Rule("document is from the future", pl.col("event_time") > pl.col("collected_at")),
        _KNOWN_EARLY,
    ),
    "observations": (
        Rule(
            "unknown symbol", pl.col("instrument_id").is_not_null() & pl.col("calendar").is_null()
        ),
        Rule("value is not finite", pl.col("value").is_infinite()),
        Rule("value is from the future", pl.col("event_time") > pl.col("collected_at")),
        _KNOWN_EARLY,
    ),
}


def judge(table: str, raw: pl.DataFrame, context: Context) -> pl.DataFrame:
    """The raw rows in their order with a column `reason`: null where the row may be a fact.

    raw: the columns of `raw_schema` and `place`. The first rule that refuses a row names it; of
    several rows with one key and `known_at` the first delivered stays.
    """
    declared = TABLES[table]
    numbers = [c.name for c in declared.columns if pl.Float64() == raw.schema[c.name]]
    frame = raw.sort(PLACE).with_columns(pl.col(numbers).fill_nan(None))
    seen = _in_context(frame, context)
    named = [pl.when(rule.refuses).then(pl.lit(rule.reason)) for rule in RULES.get(table, ())]
    nulls = [
        pl.when(pl.col(c.name).is_null()).then(pl.lit(f"{c.name} is missing"))
        for c in declared.columns
        if not c.null
    ]
    judged = seen.with_columns(pl.coalesce(pl.col(FAULT), *named, *nulls).alias(REASON))
    return _without_repeats(judged, declared).select(*frame.columns, REASON)


def _in_context(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    """The frame with what its rules ask for; rows keep their order."""
    seen = frame.with_columns(pl.lit(context.collected_at, _MOMENT).alias("collected_at"))
    if "calendar" not in frame.columns and "instrument_id" in frame.columns:
        seen = seen.join(context.instruments, on="instrument_id", how="left", maintain_order="left")
    if "session" in frame.columns and "opens" not in frame.columns:
        seen = seen.join(
            context.sheet, on=["calendar", "session"], how="left", maintain_order="left"
        ).join(context.spans, on="calendar", how="left", maintain_order="left")
    if "native_id" in frame.columns:
        refused = pl.col("native_id").is_in(list(context.refused))
        seen = seen.with_columns(refused.alias("headline_refused"))
    return seen


def _without_repeats(judged: pl.DataFrame, table: Table) -> pl.DataFrame:
    sound = judged.filter(pl.col(REASON).is_null())
    key = pl.struct(*table.key, KNOWN_AT)
    repeated = sound.select(
        PLACE,
        pl.when(~pl.struct(*table.names).is_first_distinct())
        .then(pl.lit("repeats an earlier row"))
        .when(~key.is_first_distinct())
        .then(pl.lit("differs from an earlier row of the same key"))
        .alias("repeat"),
    )
    joined = judged.join(repeated, on=PLACE, how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce(REASON, "repeat"))


def bucketed_by(table: str) -> str:
    """The column whose equal values must be judged together, since repeats share them."""
    first = TABLES[table].key[0]
    return {"source": "native_id", "universe": "instrument_id"}.get(first, first)


def judged_schema(table: str) -> pa.Schema:
    """The Arrow schema of `judge_arrow`'s answer."""
    fields = list(raw_schema(TABLES[table]))
    return pa.schema([*fields, pa.field(PLACE, pa.int64()), pa.field(REASON, TEXT)])


def judge_arrow(table: str, raw: pa.Table, context: Context) -> pa.Table:
    """`judge` from Arrow to Arrow, in the types of `judged_schema`."""
    frame = pl.from_arrow(raw)
    assert isinstance(frame, pl.DataFrame)
    schema = judged_schema(table)
    moments = [f.name for f in schema if pa.types.is_timestamp(f.type)]
    frame = frame.with_columns(pl.col(moments).dt.convert_time_zone("UTC"))
    return judge(table, frame, context).select(schema.names).to_arrow().cast(schema)


def apply(table: str, raw: pa.Table, context: Context) -> tuple[pa.Table, pa.Table]:
    """The rows that may be facts, in the table's schema, and the refused ones with reason."""
    return parted(table, judge_arrow(table, raw, context))


def parted(table: str, judged: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Judged rows as facts in the table's schema, and the refused ones with reason."""
    import pyarrow.compute as pc

    judged = judged.sort_by(PLACE)
    good = pc.is_null(judged[REASON])
    facts = judged.filter(good).select(list(TABLES[table].names))
    return TABLES[table].check(facts), judged.filter(pc.invert(good)).drop_columns(PLACE)
