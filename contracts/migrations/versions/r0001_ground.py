"""The ground: facts, ledgers, and the refusal to change them."""

from alembic import op

from contracts.migrations.guards import REFUSE_CHANGE, append_only

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE loads (
  load_id bigint NOT NULL, table_name text NOT NULL, verb text NOT NULL, source text NOT NULL,
  origin text NOT NULL, airflow_run text NOT NULL, git_commit text NOT NULL,
  rows_added bigint NOT NULL, started_at timestamptz NOT NULL, committed_at timestamptz NOT NULL,
  PRIMARY KEY (load_id)
);
CREATE TABLE instruments (
  instrument_id text NOT NULL, name text NOT NULL, calendar text NOT NULL,
  currency text NOT NULL, asset_class text NOT NULL, known_at timestamptz NOT NULL,
  load_id bigint NOT NULL, PRIMARY KEY (instrument_id, known_at)
);
CREATE TABLE symbols (
  symbol text NOT NULL, instrument_id text NOT NULL, valid_from date NOT NULL, valid_to date,
  known_at timestamptz NOT NULL, load_id bigint NOT NULL,
  PRIMARY KEY (symbol, valid_from, known_at)
);
CREATE TABLE memberships (
  universe text NOT NULL, instrument_id text NOT NULL, valid_from date NOT NULL, valid_to date,
  known_at timestamptz NOT NULL, load_id bigint NOT NULL,
  PRIMARY KEY (universe, instrument_id, valid_from, known_at)
);
CREATE TABLE bars (
  instrument_id text NOT NULL, interval text NOT NULL, session date NOT NULL,
  start_time timestamptz, event_time timestamptz NOT NULL, source text NOT NULL,
  open double precision NOT NULL, high double precision NOT NULL,
  low double precision NOT NULL, close double precision NOT NULL,
  volume double precision NOT NULL, adjustment text NOT NULL, known_at timestamptz NOT NULL,
  load_id bigint NOT NULL, PRIMARY KEY (instrument_id, interval, event_time, source, known_at)
);
CREATE INDEX bars_interval_session ON bars (interval, session);
CREATE TABLE actions (
  instrument_id text NOT NULL, ex_date date NOT NULL, kind text NOT NULL, source text NOT NULL,
  value double precision NOT NULL, known_at timestamptz NOT NULL, load_id bigint NOT NULL,
  PRIMARY KEY (instrument_id, ex_date, kind, source, known_at)
);
CREATE TABLE headlines (
  source text NOT NULL, native_id text NOT NULL, event_time timestamptz NOT NULL,
  text text NOT NULL, text_hash text NOT NULL, url text, known_at timestamptz NOT NULL,
  load_id bigint NOT NULL, PRIMARY KEY (source, native_id, known_at)
);
CREATE INDEX headlines_event_time ON headlines (event_time);
CREATE TABLE headline_symbols (
  source text NOT NULL, native_id text NOT NULL, instrument_id text NOT NULL,
  event_time timestamptz NOT NULL, known_at timestamptz NOT NULL, load_id bigint NOT NULL,
  PRIMARY KEY (source, native_id, instrument_id, known_at)
);
CREATE TABLE rejected (
  row_hash text NOT NULL, table_name text NOT NULL, source text NOT NULL, batch text NOT NULL,
  reason text NOT NULL, row jsonb NOT NULL, rejected_at timestamptz NOT NULL,
  PRIMARY KEY (row_hash)
);
CREATE TABLE sentiments (
  text_hash text NOT NULL, model_version text NOT NULL, p_negative double precision NOT NULL,
  p_neutral double precision NOT NULL, p_positive double precision NOT NULL,
  scored_at timestamptz NOT NULL, PRIMARY KEY (text_hash, model_version)
);
CREATE TABLE materialisations (
  view_hash text NOT NULL, view text NOT NULL, universe text NOT NULL, session date NOT NULL,
  snapshot bigint NOT NULL, path text NOT NULL, rows bigint NOT NULL,
  created_at timestamptz NOT NULL, PRIMARY KEY (view_hash, universe, session, snapshot)
);
CREATE TABLE predictions (
  prediction_id text NOT NULL, bundle text NOT NULL, model_version bigint NOT NULL,
  universe text NOT NULL, instrument_id text NOT NULL, symbol text NOT NULL,
  session date NOT NULL, horizon bigint NOT NULL, as_of timestamptz NOT NULL,
  snapshot bigint NOT NULL, p_down double precision NOT NULL,
  p_neutral double precision NOT NULL, p_up double precision NOT NULL, origin text NOT NULL,
  issued_at timestamptz NOT NULL, PRIMARY KEY (bundle, instrument_id, horizon, as_of, snapshot)
);
CREATE INDEX predictions_symbol_as_of ON predictions (symbol, as_of);
CREATE INDEX predictions_universe_session ON predictions (universe, session);
CREATE TABLE outcomes (
  prediction_id text NOT NULL, version bigint NOT NULL, label bigint NOT NULL,
  total_return double precision NOT NULL, delisted boolean NOT NULL,
  settled_at timestamptz NOT NULL, snapshot bigint NOT NULL, recorded_at timestamptz NOT NULL,
  PRIMARY KEY (prediction_id, version)
);
CREATE TABLE promotions (
  promotion_id text NOT NULL, universe text NOT NULL, decision text NOT NULL,
  bundle text NOT NULL, model_name text NOT NULL, model_version bigint NOT NULL,
  previous_bundle text, actor text NOT NULL, reason text NOT NULL, evidence jsonb NOT NULL,
  decided_at timestamptz NOT NULL, PRIMARY KEY (promotion_id)
);
CREATE INDEX promotions_universe_decided_at ON promotions (universe, decided_at);
CREATE TABLE drift (
  test text NOT NULL, feature text NOT NULL, universe text NOT NULL, session date NOT NULL,
  snapshot bigint NOT NULL, bundle text NOT NULL, score double precision NOT NULL,
  threshold double precision NOT NULL, alarm boolean NOT NULL, scored_at timestamptz NOT NULL,
  PRIMARY KEY (test, feature, universe, session, snapshot, bundle)
);
"""

GUARDED = [
    "loads",
    "instruments",
    "symbols",
    "memberships",
    "bars",
    "actions",
    "headlines",
    "headline_symbols",
    "rejected",
    "sentiments",
    "materialisations",
    "predictions",
    "outcomes",
    "promotions",
    "drift",
]


def upgrade() -> None:
    """Create all tables."""
    op.execute("CREATE SCHEMA staging")
    op.execute(REFUSE_CHANGE)
    op.execute(TABLES)
    for table in GUARDED:
        op.execute(append_only(table))
