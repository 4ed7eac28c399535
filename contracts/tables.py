"""Every table of the system, declared once: migrations are compared
with it, frames are checked by it."""

from contracts.table import DAY, FLAG, REAL, TEXT, TIME, WHOLE, Column, Table

_KNOWN_AT = Column("known_at", TIME)

# Written by the store alone: one row per commit, ids in commit order.
LOADS = Table(
    "loads",
    "ledger",
    key=("load_id",),
    columns=(
        Column("load_id", WHOLE),
        Column("table_name", TEXT),
        Column("verb", TEXT),
        Column("source", TEXT),
        Column("origin", TEXT),
        Column("airflow_run", TEXT),
        Column("git_commit", TEXT),
        Column("rows_added", WHOLE),
        Column("started_at", TIME),
        Column("committed_at", TIME),
    ),
)

INSTRUMENTS = Table(
    "instruments",
    "fact",
    key=("instrument_id",),
    columns=(
        Column("instrument_id", TEXT),
        Column("name", TEXT),
        Column("calendar", TEXT),
        Column("currency", TEXT),
        Column("asset_class", TEXT),
        _KNOWN_AT,
    ),
)

SYMBOLS = Table(
    "symbols",
    "fact",
    key=("symbol", "valid_from"),
    columns=(
        Column("symbol", TEXT),
        Column("instrument_id", TEXT),
        Column("valid_from", DAY),
        Column("valid_to", DAY, null=True),
        _KNOWN_AT,
    ),
)

MEMBERSHIPS = Table(
    "memberships",
    "fact",
    key=("universe", "instrument_id", "valid_from"),
    columns=(
        Column("universe", TEXT),
        Column("instrument_id", TEXT),
        Column("valid_from", DAY),
        Column("valid_to", DAY, null=True),
        _KNOWN_AT,
    ),
)

BARS = Table(
    "bars",
    "fact",
    key=("instrument_id", "interval", "event_time", "source"),
    columns=(
        Column("instrument_id", TEXT),
        Column("interval", TEXT),
        Column("session", DAY),
        Column("start_time", TIME, null=True),
        Column("event_time", TIME),
        Column("source", TEXT),
        Column("open", REAL),
        Column("high", REAL),
        Column("low", REAL),
        Column("close", REAL),
        Column("volume", REAL),
        Column("adjustment", TEXT),
        _KNOWN_AT,
    ),
    indexes=(("interval", "session"),),
    partition="event_time",
)

ACTIONS = Table(
    "actions",
    "fact",
    key=("instrument_id", "ex_date", "kind", "source"),
    columns=(
        Column("instrument_id", TEXT),
        Column("ex_date", DAY),
        Column("kind", TEXT),
        Column("source", TEXT),
        Column("value", REAL),
        _KNOWN_AT,
    ),
)

HEADLINES = Table(
    "headlines",
    "fact",
    key=("source", "native_id"),
    columns=(
        Column("source", TEXT),
        Column("native_id", TEXT),
        Column("event_time", TIME),
        Column("text", TEXT),
        Column("text_hash", TEXT),
        Column("url", TEXT, null=True),
        _KNOWN_AT,
    ),
    indexes=(("event_time",),),
)

HEADLINE_SYMBOLS = Table(
    "headline_symbols",
    "fact",
    key=("source", "native_id", "instrument_id"),
    columns=(
        Column("source", TEXT),
        Column("native_id", TEXT),
        Column("instrument_id", TEXT),
        Column("event_time", TIME),
        _KNOWN_AT,
    ),
)

# A filing or another long text about an instrument.
DOCUMENTS = Table(
    "documents",
    "fact",
    key=("source", "native_id"),
    columns=(
        Column("source", TEXT),
        Column("native_id", TEXT),
        Column("instrument_id", TEXT),
        Column("form", TEXT),
        Column("period_end", DAY, null=True),
        Column("event_time", TIME),
        Column("text", TEXT),
        Column("text_hash", TEXT),
        Column("url", TEXT, null=True),
        _KNOWN_AT,
    ),
    indexes=(("instrument_id", "event_time"),),
)

# One value of a series; event_time is the end of the period that it is about, each vintage a
# version. instrument_id is set where the series belongs to one.
OBSERVATIONS = Table(
    "observations",
    "fact",
    key=("series", "event_time", "source"),
    columns=(
        Column("series", TEXT),
        Column("event_time", TIME),
        Column("source", TEXT),
        Column("instrument_id", TEXT, null=True),
        Column("value", REAL),
        _KNOWN_AT,
    ),
)

REJECTED = Table(
    "rejected",
    "ledger",
    key=("row_hash",),
    columns=(
        Column("row_hash", TEXT),
        Column("table_name", TEXT),
        Column("source", TEXT),
        Column("batch", TEXT),
        Column("reason", TEXT),
        Column("row", TEXT, json=True),
        Column("rejected_at", TIME),
    ),
)

SENTIMENTS = Table(
    "sentiments",
    "ledger",
    key=("text_hash", "model_version"),
    columns=(
        Column("text_hash", TEXT),
        Column("model_version", TEXT),
        Column("p_negative", REAL),
        Column("p_neutral", REAL),
        Column("p_positive", REAL),
        Column("scored_at", TIME),
    ),
)

MATERIALISATIONS = Table(
    "materialisations",
    "ledger",
    key=("view_hash", "universe", "session", "snapshot"),
    columns=(
        Column("view_hash", TEXT),
        Column("view", TEXT),
        Column("universe", TEXT),
        Column("session", DAY),
        Column("snapshot", WHOLE),
        Column("path", TEXT),
        Column("rows", WHOLE),
        Column("created_at", TIME),
    ),
)

PREDICTIONS = Table(
    "predictions",
    "ledger",
    key=("bundle", "instrument_id", "horizon", "as_of", "snapshot"),
    columns=(
        Column("prediction_id", TEXT),
        Column("bundle", TEXT),
        Column("model_version", WHOLE),
        Column("universe", TEXT),
        Column("instrument_id", TEXT),
        Column("symbol", TEXT),
        Column("session", DAY),
        Column("horizon", WHOLE),
        Column("as_of", TIME),
        Column("snapshot", WHOLE),
        Column("p_down", REAL),
        Column("p_neutral", REAL),
        Column("p_up", REAL),
        Column("origin", TEXT),
        Column("issued_at", TIME),
    ),
    indexes=(("symbol", "as_of"), ("universe", "session")),
)

OUTCOMES = Table(
    "outcomes",
    "ledger",
    key=("prediction_id", "version"),
    columns=(
        Column("prediction_id", TEXT),
        Column("version", WHOLE),
        Column("label", WHOLE),
        Column("total_return", REAL),
        Column("delisted", FLAG),
        Column("settled_at", TIME),
        Column("snapshot", WHOLE),
        Column("recorded_at", TIME),
    ),
)

PROMOTIONS = Table(
    "promotions",
    "ledger",
    key=("promotion_id",),
    columns=(
        Column("promotion_id", TEXT),
        Column("universe", TEXT),
        Column("decision", TEXT),
        Column("bundle", TEXT),
        Column("model_name", TEXT),
        Column("model_version", WHOLE),
        Column("previous_bundle", TEXT, null=True),
        Column("actor", TEXT),
        Column("reason", TEXT),
        Column("evidence", TEXT, json=True),
        Column("decided_at", TIME),
    ),
    indexes=(("universe", "decided_at"),),
)

DRIFT = Table(
    "drift",
    "ledger",
    key=("test", "feature", "universe", "session", "snapshot", "bundle"),
    columns=(
        Column("test", TEXT),
        Column("feature", TEXT),
        Column("universe", TEXT),
        Column("session", DAY),
        Column("snapshot", WHOLE),
        Column("bundle", TEXT),
        Column("score", REAL),
        Column("threshold", REAL),
        Column("alarm", FLAG),
        Column("scored_at", TIME),
    ),
)

# fmt: off
_ALL = (
    LOADS, INSTRUMENTS, SYMBOLS, MEMBERSHIPS, BARS, ACTIONS, HEADLINES, HEADLINE_SYMBOLS,
    DOCUMENTS, OBSERVATIONS, REJECTED, SENTIMENTS, MATERIALISATIONS, PREDICTIONS, OUTCOMES,
    PROMOTIONS, DRIFT,
)
# fmt: on
TABLES: dict[str, Table] = {table.name: table for table in _ALL}
