"""What is known about the world: versioned by `store.append`, read by `store.read`."""

from contracts.table import DAY, REAL, TEXT, TIME, Column, Table

_KNOWN_AT = Column("known_at", TIME)

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

# A session that a calendar has beside what its library knows; without times, one that it lacks.
TRADING_SESSIONS = Table(
    "trading_sessions",
    "fact",
    key=("calendar", "session"),
    columns=(
        Column("calendar", TEXT),
        Column("session", DAY),
        Column("opens", TIME, null=True),
        Column("closes", TIME, null=True),
        Column("timezone", TEXT),
        _KNOWN_AT,
    ),
)

# A sector is a universe too, whose name begins so: membership in it has its dates and clocks.
SECTOR = "sector:"

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

# Without an instrument: of the economy.
OBSERVATIONS = Table(
    "observations",
    "fact",
    key=("series", "instrument_id", "event_time", "source"),
    columns=(
        Column("series", TEXT),
        Column("event_time", TIME),
        Column("source", TEXT),
        Column("instrument_id", TEXT, null=True),
        Column("value", REAL),
        _KNOWN_AT,
    ),
)
