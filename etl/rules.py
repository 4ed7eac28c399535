"""Which raw rows become facts: a declared list of rules, the same in process and inside Spark."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

import polars as pl
import pyarrow as pa

from contracts.table import FLAG, KNOWN_AT, TEXT, Table
from contracts.tables import TABLES
from etl.currency import rates
from etl.payments import joined
from etl.source import FAULT, SAID, raw_schema

REASON = "reason"
PLACE = "place"  # a row's position among the rows of its table, as delivered
_PRICES = ("open", "high", "low", "close")
_ADJUSTMENTS = ("none", "split", "split_dividend")
_MOMENT = pl.Datetime("us", "UTC")
# Bytes of a text in a key: with two such an index entry fits a third of a database page.
LONGEST_KEY = 1_000
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Context:
    """What rows are judged against, beside themselves.

    collected_at: when the source was asked. instruments: columns instrument_id, calendar and
    currency.
    sheet, spans: see `etl.sessions`. refused: native ids of refused headlines.
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
_KNOWN_LATE = Rule("known after it was collected", pl.col("known_at") > pl.col("collected_at"))
_UNLISTED = Rule("unknown symbol", pl.col("calendar").is_null())
_TEXTS = (Rule("text is empty", pl.col("text").str.strip_chars() == ""),)

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
        Rule(
            "prices of the bar are a hundredfold apart",
            (pl.max_horizontal(_PRICES) / pl.min_horizontal(_PRICES)).is_between(75, 133),
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
        _KNOWN_LATE,
    ),
    "actions": (
        _UNLISTED,
        Rule("kind is neither split nor dividend", ~pl.col("kind").is_in(("split", "dividend"))),
        Rule("value is not a positive number", ~pl.col("value").is_between(1e-9, 1e9)),
        Rule(
            "dividend is in another currency than its instrument",
            (pl.col("kind") == "dividend") & pl.col("rate").is_null(),
        ),
        _KNOWN_LATE,
    ),
    "headlines": (
        *_TEXTS,
        Rule("headline is from the future", pl.col("event_time") > pl.col("collected_at")),
        _KNOWN_EARLY,
        _KNOWN_LATE,
    ),
    "headline_symbols": (
        Rule("headline was refused", pl.col("headline_refused")),
        _UNLISTED,
        _KNOWN_EARLY,
        _KNOWN_LATE,
    ),
    "documents": (
        _UNLISTED,
        *_TEXTS,
        Rule("document is from the future", pl.col("event_time") > pl.col("collected_at")),
        _KNOWN_EARLY,
        _KNOWN_LATE,
    ),
    "observations": (
        Rule(
            "unknown symbol", pl.col("instrument_id").is_not_null() & pl.col("calendar").is_null()
        ),
        Rule("value is not finite", pl.col("value").is_infinite()),
        Rule("value is from the future", pl.col("event_time") > pl.col("collected_at")),
        _KNOWN_EARLY,
        _KNOWN_LATE,
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
    long = [
        pl.when(pl.col(c.name).str.len_bytes() > LONGEST_KEY).then(
            pl.lit(f"{c.name} is longer than {LONGEST_KEY} bytes")
        )
        for c in declared.columns
        if c.name in declared.key and c.type == TEXT
    ]
    null = [
        pl.when(pl.col(c.name).str.contains("\x00", literal=True)).then(
            pl.lit(f"{c.name} holds a null character")
        )
        for c in declared.columns
        if c.type == TEXT
    ]
    judged = seen.with_columns(
        pl.coalesce(pl.col(FAULT), *long, *null, *named, *nulls).alias(REASON)
    )
    judged = _without_repeats(judged, declared)
    if table == "actions":
        paid = pl.col("value") * pl.when(kind="dividend").then("rate").otherwise(1.0)
        judged = judged.with_columns(
            pl.when(pl.col(REASON).is_null()).then(paid).otherwise("value")
        )
        judged = joined(judged.select(*frame.columns, REASON), REASON, PLACE)
    return judged.select(*frame.columns, REASON)


def _in_context(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    """The frame with what its rules ask for; rows keep their order."""
    seen = frame.with_columns(pl.lit(context.collected_at, _MOMENT).alias("collected_at"))
    if "calendar" not in frame.columns and "instrument_id" in frame.columns:
        listed = context.instruments.rename({"currency": "quoted"}, strict=False)
        seen = seen.join(listed, on="instrument_id", how="left", maintain_order="left")
    if "session" in frame.columns and "opens" not in frame.columns:
        seen = seen.join(
            context.sheet, on=["calendar", "session"], how="left", maintain_order="left"
        ).join(context.spans, on="calendar", how="left", maintain_order="left")
    if "native_id" in frame.columns:
        refused = pl.col("native_id").is_in(list(context.refused))
        seen = seen.with_columns(refused.alias("headline_refused"))
    if "ex_date" in frame.columns:
        seen = seen.with_columns(rates(seen, "currency", "quoted").alias("rate"))
    return seen


def _without_repeats(judged: pl.DataFrame, table: Table) -> pl.DataFrame:
    sound = judged.filter(pl.col(REASON).is_null())
    said = list(SAID.get(table.name, {}))
    key = pl.struct(*table.key, KNOWN_AT, *said)
    # Several payments of a day are joined, unless one id is given to two of them.
    apart = pl.col("id").is_null() if "id" in said else pl.lit(False)
    repeated = sound.select(
        PLACE,
        pl.when(~pl.struct(*table.names, *said).is_first_distinct())
        .then(pl.lit("repeats an earlier row"))
        .when(~apart & ~key.is_first_distinct())
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
    moments = [f.name for f in judged_schema(table) if pa.types.is_timestamp(f.type)]
    frame = frame.with_columns(
        pl.col(moments).dt.convert_time_zone("UTC"),
        # What was collected before a table could say so says nothing.
        *(
            pl.lit(None, pl.Boolean() if kind == FLAG else pl.String()).alias(name)
            for name, kind in SAID.get(table, {}).items()
            if name not in frame.columns
        ),
    )
    return arrow(table, judge(table, frame, context))


def arrow(table: str, judged: pl.DataFrame) -> pa.Table:
    """A judged frame in the types of `judged_schema`."""
    schema = judged_schema(table)
    return judged.select(schema.names).to_arrow().cast(schema)


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
