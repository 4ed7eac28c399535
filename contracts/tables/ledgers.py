"""What was done: insert-only, one row per key, written by `store.record`."""

from contracts.table import DAY, FLAG, REAL, REALS, TEXT, TIME, WHOLE, Column, Table

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
        Column("market", TEXT, null=True),
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

# What a text means, as the vector of a registered encoder.
EMBEDDINGS = Table(
    "embeddings",
    "ledger",
    key=("text_hash", "model_version"),
    columns=(
        Column("text_hash", TEXT),
        Column("model_version", TEXT),
        Column("vector", REALS),
        Column("embedded_at", TIME),
    ),
)

MATERIALISATIONS = Table(
    "materialisations",
    "ledger",
    key=("view_hash", "universe", "session", "snapshot", "text_model"),
    columns=(
        Column("view_hash", TEXT),
        Column("view", TEXT),
        Column("universe", TEXT),
        Column("session", DAY),
        Column("snapshot", WHOLE),
        Column("text_model", TEXT),
        Column("path", TEXT),
        Column("rows", WHOLE),
        Column("created_at", TIME),
    ),
)

# `forecast` holds the objective's columns, whatever they are; those that many ask for stand beside
# it as well.
PREDICTIONS = Table(
    "predictions",
    "ledger",
    key=("bundle", "target", "instrument_id", "as_of", "snapshot"),
    columns=(
        Column("prediction_id", TEXT),
        Column("bundle", TEXT),
        Column("target", TEXT),
        Column("model_version", WHOLE),
        Column("universe", TEXT),
        Column("instrument_id", TEXT),
        Column("symbol", TEXT),
        Column("session", DAY),
        Column("horizon", WHOLE),
        Column("as_of", TIME),
        Column("snapshot", WHOLE),
        Column("forecast", TEXT, json=True),
        Column("p_down", REAL, null=True),
        Column("p_neutral", REAL, null=True),
        Column("p_up", REAL, null=True),
        Column("volatility", REAL, null=True),
        Column("expected_return", REAL, null=True),
        Column("signal", TEXT, null=True),
        Column("origin", TEXT),
        Column("issued_at", TIME),
    ),
    indexes=(
        ("bundle", "symbol", "as_of"),
        ("universe", "target", "session"),
        ("prediction_id",),
    ),
)

# What a live forecast rests on: what each model's features add, and the largest of their values.
EXPLANATIONS = Table(
    "explanations",
    "ledger",
    key=("prediction_id",),
    columns=(
        Column("prediction_id", TEXT),
        Column("parts", TEXT, json=True),
        Column("given", TEXT, json=True),
        Column("news", TEXT, json=True),
        Column("explained_at", TIME),
    ),
)

# The truth is a class (`label`) or a number (`value`).
OUTCOMES = Table(
    "outcomes",
    "ledger",
    key=("prediction_id", "version"),
    columns=(
        Column("prediction_id", TEXT),
        Column("version", WHOLE),
        Column("label", WHOLE, null=True),
        Column("value", REAL, null=True),
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
        Column("target", TEXT),
        Column("decision", TEXT),
        Column("cause", TEXT),
        Column("bundle", TEXT),
        Column("model_name", TEXT),
        Column("model_version", WHOLE),
        Column("previous_bundle", TEXT, null=True),
        Column("actor", TEXT),
        Column("reason", TEXT),
        Column("evidence", TEXT, json=True),
        Column("decided_at", TIME),
    ),
    indexes=(("universe", "target", "number"),),
    numbered=True,
)

# A challenger on its way into office: a row per decision. `numbers` holds every check of it.
ROLLOUTS = Table(
    "rollouts",
    "ledger",
    key=("decision_id",),
    columns=(
        Column("decision_id", TEXT),
        Column("rollout_id", TEXT),
        Column("universe", TEXT),
        Column("target", TEXT),
        Column("bundle", TEXT),
        Column("model_name", TEXT),
        Column("model_version", WHOLE),
        Column("champion", TEXT),
        Column("stage", TEXT),
        Column("share", REAL),
        Column("verdict", TEXT),
        Column("reason", TEXT),
        Column("numbers", TEXT, json=True),
        Column("actor", TEXT),
        Column("decided_at", TIME),
    ),
    indexes=(("universe", "target", "number"),),
    numbered=True,
)

DRIFT = Table(
    "drift",
    "ledger",
    key=("test", "feature", "universe", "session", "snapshot", "bundle"),
    columns=(
        Column("test", TEXT),
        Column("feature", TEXT),
        Column("universe", TEXT),
        Column("target", TEXT),
        Column("session", DAY),
        Column("snapshot", WHOLE),
        Column("bundle", TEXT),
        Column("score", REAL),
        Column("threshold", REAL),
        Column("alarm", FLAG),
        Column("scored_at", TIME),
    ),
)

# What each alarm family says of a champion at a session: the number and the limits that decided.
ALARMS = Table(
    "alarms",
    "ledger",
    key=("family", "universe", "target", "session", "snapshot", "bundle"),
    columns=(
        Column("family", TEXT),
        Column("universe", TEXT),
        Column("target", TEXT),
        Column("session", DAY),
        Column("snapshot", WHOLE),
        Column("bundle", TEXT),
        Column("number", REAL),
        Column("threshold", REAL),
        Column("severe", REAL),
        Column("watched", WHOLE),
        Column("began", DAY, null=True),
        Column("alarm", FLAG),
        Column("persistent", FLAG),
        Column("wakes", FLAG),
        Column("scored_at", TIME),
    ),
    indexes=(("universe", "target", "session"),),
)

# An answered call, in one partition per day. A caller may bring its own request id, so the time
# belongs to the key.
REQUESTS = Table(
    "requests",
    "ledger",
    key=("request_id", "answered_at"),
    columns=(
        Column("request_id", TEXT),
        Column("answered_at", TIME),
        Column("method", TEXT),
        Column("route", TEXT),
        Column("status", WHOLE),
        Column("seconds", REAL),
        Column("symbols", TEXT, json=True),
        Column("universe", TEXT),
        Column("model_version", WHOLE, null=True),
        Column("key_name", TEXT, null=True),
    ),
    indexes=(("answered_at",),),
)
