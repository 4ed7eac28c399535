"""Matrices: a view's features as Parquet in the object store, labels beside them when loaded.

Features of a session never change at a snapshot, so they are written once. Labels of the newest
sessions settle later; they are settled when a matrix is loaded, with what is known by its end.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from contracts import objects
from contracts.store import Store
from contracts.tables import MATERIALISATIONS
from contracts.time import calendar
from features.engine import evaluate
from features.facts.facts import Facts, Request, members, read, text_model
from features.facts.panels import decision_panel
from features.matrix.labelling import KEY, keys_of, labels_of
from features.matrix.unchanged import first_news
from features.view import FeatureView


class MatrixMissing(LookupError):
    """Sessions are not materialised at this snapshot; the message names the verb to run."""


class TextUnscored(LookupError):
    """Headlines have no sentiment yet; the message names the verb to run."""


@dataclass(frozen=True)
class _Range:
    store: Store
    view: FeatureView
    universe: str
    first: date
    last: date
    snapshot: int

    @property
    def sessions(self) -> tuple[date, ...]:
        return members(self.store, self.universe, self.first, self.last, self.snapshot).sessions

    @cached_property
    def text_model(self) -> str:
        """The model whose sentiments the features are made of; empty where none reads them."""
        return text_model(self.store) if self.view.reads_sentiment else ""

    @property
    def key(self) -> str:
        """Of the file of those sessions, in the object store."""
        model = self.text_model and "_" + hashlib.sha256(self.text_model.encode()).hexdigest()[:8]
        name = f"{self.first}_{self.last}_{self.snapshot}{model}.parquet"
        return f"matrices/{self.view.hash}/{self.universe}/{name}"

    def written(self) -> dict[date, str]:
        where = [self.view.hash, self.universe, self.snapshot]
        found = self.store.query(
            "SELECT session, path FROM materialisations WHERE view_hash = %s AND universe = %s "
            "AND snapshot = %s AND text_model = %s AND session BETWEEN %s AND %s",
            [*where, self.text_model, self.first, self.last],
        )
        pairs = zip(found["session"].to_pylist(), found["path"].to_pylist(), strict=True)
        return dict(pairs)

    def carried(self, missing: Sequence[date]) -> pa.Table:
        """Receipts at this snapshot for sessions whose newest earlier matrix still holds."""
        found = self.store.query(
            "SELECT DISTINCT ON (session) * FROM materialisations WHERE view_hash = %s "
            "AND universe = %s AND text_model = %s AND snapshot < %s AND session = ANY(%s::date[]) "
            "ORDER BY session, snapshot DESC",
            [self.view.hash, self.universe, self.text_model, self.snapshot, list(missing)],
        )
        rows = found.to_pylist()
        news = {s: first_news(self.store, s, self.snapshot) for s in {r["snapshot"] for r in rows}}
        held = [r for r in rows if self._decided_before(r["session"], news[r["snapshot"]])]
        new = {"snapshot": self.snapshot, "created_at": datetime.now(UTC)}
        return pa.Table.from_pylist([r | new for r in held], schema=MATERIALISATIONS.schema)

    def _decided_before(self, session: date, news: datetime | None) -> bool:
        return news is None or all(
            calendar.session_close(name, day) < news
            for name in self._calendars
            for day in calendar.sessions_known(name, session, session)
        )

    @cached_property
    def _calendars(self) -> list[str]:
        known = members(self.store, self.universe, self.first, self.last, self.snapshot)
        return sorted(known.frame["calendar"].unique())


def materialise(
    store: Store, view: FeatureView, universe: str, first: date, last: date, snapshot: int
) -> int:
    """Write the features of the sessions that have none at this snapshot; returns their number.

    Those that an earlier snapshot holds and nothing new concerns are carried over, not computed.
    Another text model than the one they were written with makes those that read sentiment anew.
    Raises NoFacts for an unknown universe, NotASession for a range without a session, and
    TextUnscored when a feature reads sentiment that is not there: it would stay null for good.
    """
    asked = _Range(store, view, universe, first, last, snapshot)
    missing = sorted(set(asked.sessions) - set(asked.written()))
    carried = asked.carried(missing)
    count = store.record(MATERIALISATIONS, carried) if len(carried) else 0
    missing = sorted(set(missing) - set(carried["session"].to_pylist()))
    return count + (_write(asked, missing) if missing else 0)


def _write(asked: _Range, missing: Sequence[date]) -> int:
    store, view, universe, snapshot = asked.store, asked.view, asked.universe, asked.snapshot
    request = Request(universe, missing[0], missing[-1], snapshot, view.reach, True, view.interval)
    facts = read(store, request)
    _refuse_unscored(facts, request, view)
    frame = _features(facts, view).filter(pl.col("session").is_in(missing))
    key = replace(asked, first=missing[0], last=missing[-1]).key
    buffer = io.BytesIO()
    pq.write_table(frame.to_arrow(), buffer, compression="zstd")
    objects.put(key, buffer.getvalue())
    return store.record(MATERIALISATIONS, _receipt(asked, missing, key, frame))


def _refuse_unscored(facts: Facts, request: Request, view: FeatureView) -> None:
    unscored = facts.news["tone"].null_count()
    if unscored and view.reads_sentiment:
        raise TextUnscored(
            f"{unscored} headlines of {request.universe} up to {request.last} have no sentiment: "
            f"run `python -m training score-text --universe {request.universe} --session "
            f"{request.last} --snapshot {request.snapshot}`"
        )


def load_matrix(
    store: Store, view: FeatureView, universe: str, first: date, last: date, snapshot: int
) -> pa.Table:
    """The view's features of the sessions and a target's truth, by session and instrument.

    The truth is that of `view.toward(target)`, of a view of before else its own label's; without
    either the features stand alone. Columns: instrument_id, symbol, session, as_of, the features
    (float32 and nothing else is, null explicit); what naive forecasts of the target are made of
    (float64, `Label.beside`: persistence is its newest value settled by as_of); label (0 down, 1
    neutral, 2 up, or a float64 where it has no classes; null until it is settled by the close of
    `last`), settled_at, total_return (from the entry to where the label closes the position),
    delisted, ambiguous (whether the label rests on a rule about a bar that leaves it open). Raises
    MatrixMissing unless all sessions are materialised at exactly this snapshot.
    """
    asked = _Range(store, view, universe, first, last, snapshot)
    written = asked.written()
    missing = sorted(set(asked.sessions) - set(written))
    if missing:
        raise MatrixMissing(
            f"view {view.name} ({view.hash}) of {universe} has {len(missing)} sessions from "
            f"{missing[0]} to {missing[-1]} without a matrix at snapshot {snapshot}: run `python "
            f"-m features materialise --view {view.name} --universe {universe} --first "
            f"{missing[0]} --last {missing[-1]} --snapshot {snapshot}`"
        )
    parts = [_part(path, written) for path in sorted(set(written.values()))]
    found, rule = pl.concat(parts), view.truth or view.label
    if rule is not None:
        request = Request(universe, first, last, snapshot, rule.reach, False, view.interval)
        settled = labels_of(store, read(store, request), snapshot, rule)
        found = found.join(settled, on=KEY, how="left")
    return _strings(found.sort(KEY).to_arrow())


def written(
    store: Store, view: FeatureView, universe: str, session: date, snapshot: int
) -> pl.DataFrame:
    """The features of one session as they were written; raises MatrixMissing."""
    asked = _Range(store, view, universe, session, session, snapshot)
    paths = asked.written()
    if session not in paths:
        raise MatrixMissing(
            f"view {view.name} of {universe} has no matrix of {session} at snapshot {snapshot}"
        )
    return _part(paths[session], paths)


def online(
    store: Store, view: FeatureView, universe: str, session: date, snapshot: int
) -> pl.DataFrame:
    """The features of one session from the last rows that they need; nothing is written."""
    return _features(read(store, Request(universe, session, session, snapshot, view.reach)), view)


def _part(path: str, written: dict[date, str]) -> pl.DataFrame:
    frame = pl.read_parquet(objects.get(path))
    return frame.filter(pl.col("session").is_in([d for d, p in written.items() if p == path]))


def _strings(table: pa.Table) -> pa.Table:
    plain = [
        pa.field(f.name, pa.string() if pa.types.is_large_string(f.type) else f.type)
        for f in table.schema
    ]
    return table.cast(pa.schema(plain))


def _receipt(asked: _Range, sessions: Sequence[date], key: str, frame: pl.DataFrame) -> pa.Table:
    counts = dict(frame.group_by("session").len().iter_rows())
    constant = {"view_hash": asked.view.hash, "view": asked.view.name, "universe": asked.universe}
    constant |= {"path": key, "text_model": asked.text_model}
    now = datetime.now(UTC)
    rows = [
        {**constant, "session": day, "snapshot": asked.snapshot, "rows": counts.get(day, 0)}
        | {"created_at": now}
        for day in sessions
    ]
    return pa.Table.from_pylist(rows, schema=MATERIALISATIONS.schema)


def _features(facts: Facts, view: FeatureView) -> pl.DataFrame:
    panel = decision_panel(facts, view.reach)
    values = evaluate(panel, view.members, dtype=np.float32)
    columns = {
        name: pl.Series(values[name][panel.decided]).fill_nan(None) for name in view.features
    }
    return _named(keys_of(panel).with_columns(**columns), facts).sort(KEY)


def _named(keys: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    spans = facts.symbols.select("instrument_id", "symbol", "valid_from").sort("valid_from")
    # Both are sorted; Polars cannot see it within groups, and would say so at every call.
    found = keys.sort("session").join_asof(
        spans,
        left_on="session",
        right_on="valid_from",
        by="instrument_id",
        check_sortedness=False,
    )
    symbol = pl.coalesce("symbol", "instrument_id")
    return found.select("instrument_id", symbol, "session", "as_of", *keys.columns[3:])
