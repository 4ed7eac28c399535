"""Matrices: a view's features as Parquet in the object store, labels beside them when loaded.

Features of a session never change at a snapshot, so they are written once. Labels of the newest
sessions settle later; they are settled when a matrix is loaded, with what is known by its end.
"""

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from contracts import objects
from contracts.cut import Cut
from contracts.expected import Expected
from contracts.store import Store
from contracts.tables import MATERIALISATIONS
from contracts.time import calendar
from features.engine import evaluate
from features.facts.facts import PRICES, Facts, Request, read
from features.facts.members import Members, members
from features.facts.panels import decision_panel
from features.label import Label
from features.matrix.labelling import KEY, keys_of, labels_of
from features.matrix.receipts import MatrixMissing, scored_by, with_model
from features.matrix.unchanged import first_news
from features.panel.series import Numbers
from features.target import Target
from features.view import FeatureView


class TextUnscored(Expected, LookupError):
    """Headlines have no sentiment yet; the message names the verb to run."""


@dataclass(frozen=True)
class _Asked:
    store: Store
    cut: Cut
    view: FeatureView
    pinned: str = ""

    @cached_property
    def members(self) -> Members:
        return members(self.store, self.cut)

    @cached_property
    def text_model(self) -> str:
        return scored_by(self.store, self.view, self.pinned)

    def facts(self, cut: Cut, reach: int, inputs: Sequence[str]) -> Facts:
        """What a part of the cut is made of; one that ends alike has the same members."""
        alike = cut.last >= self.members.sessions[-1]
        request = Request(cut, reach, inputs, self.view.interval, self.text_model)
        return read(self.store, request, self.members if alike else None)

    def key(self, cut: Cut) -> str:
        """Of the file of that part, in the object store."""
        model = self.text_model and "_" + hashlib.sha256(self.text_model.encode()).hexdigest()[:8]
        name = f"{cut.first}_{cut.last}_{cut.snapshot}{model}.parquet"
        return f"matrices/{self.view.hash}/{cut.universe.name}/{name}"

    def written(self) -> dict[date, str]:
        found = self.store.query(
            "SELECT session, path FROM materialisations WHERE view_hash = %s AND universe = %s "
            "AND snapshot = %s AND text_model = %s AND session BETWEEN %s AND %s",
            [*self._place, self.cut.snapshot, self.text_model, self.cut.first, self.cut.last],
        )
        pairs = zip(found["session"].to_pylist(), found["path"].to_pylist(), strict=True)
        return dict(pairs)

    def carried(self, missing: Sequence[date]) -> pa.Table:
        """Receipts at this snapshot for sessions whose newest earlier matrix still holds."""
        snapshot = self.cut.snapshot
        found = self.store.query(
            "SELECT DISTINCT ON (session) * FROM materialisations WHERE view_hash = %s "
            "AND universe = %s AND text_model = %s AND snapshot < %s AND session = ANY(%s::date[]) "
            "ORDER BY session, snapshot DESC",
            [*self._place, self.text_model, snapshot, list(missing)],
        )
        rows = found.to_pylist()
        news = {s: first_news(self.store, s, snapshot) for s in {r["snapshot"] for r in rows}}
        held = [r for r in rows if self._decided_before(r["session"], news[r["snapshot"]])]
        new = {"snapshot": snapshot, "created_at": datetime.now(UTC)}
        return pa.Table.from_pylist([r | new for r in held], schema=MATERIALISATIONS.schema)

    @property
    def _place(self) -> list[str]:
        return [self.view.hash, self.cut.universe.name]

    def _decided_before(self, session: date, news: datetime | None) -> bool:
        return news is None or all(
            calendar.session_close(name, day) < news
            for name in self.members.calendars
            for day in calendar.sessions_known(name, session, session)
        )


# From a panel and features to their values per row, cast to `dtype`: here, or in Spark.
Engine: TypeAlias = Callable[..., Mapping[str, Numbers]]
Missing: TypeAlias = Literal["refuse", "write"]


def materialise(
    store: Store, cut: Cut, view: FeatureView, text_model: str = "", engine: Engine = evaluate
) -> int:
    """Write the features of the sessions that have none at this snapshot; returns their number.

    Those that an earlier snapshot holds and nothing new concerns are carried over, not computed.
    text_model: the version whose sentiments features are made of, where the view reads any; each
    has matrices of its own. engine: what computes them; all give the same values.
    Raises NoFacts for an unknown universe, NotASession for a range without a session, and
    TextUnscored when a feature reads sentiment that is not there: it would stay null for good.
    """
    return _materialise(_Asked(store, cut, view, text_model), engine)


def _materialise(asked: _Asked, engine: Engine = evaluate) -> int:
    missing = sorted(set(asked.members.sessions) - set(asked.written()))
    carried = asked.carried(missing)
    count = asked.store.record(MATERIALISATIONS, carried) if len(carried) else 0
    missing = sorted(set(missing) - set(carried["session"].to_pylist()))
    return count + (_write(asked, missing, engine) if missing else 0)


def _write(asked: _Asked, missing: Sequence[date], engine: Engine) -> int:
    part, view = asked.cut.since(missing[0]).until(missing[-1]), asked.view
    facts = asked.facts(part, view.reach, view.inputs)
    _refuse_unscored(facts, part, asked)
    frame = _features(facts, view, engine).filter(pl.col("session").is_in(missing))
    key = asked.key(part)
    buffer = io.BytesIO()
    pq.write_table(frame.to_arrow(), buffer, compression="zstd")
    objects.put(key, buffer.getvalue())
    return asked.store.record(MATERIALISATIONS, _receipt(asked, missing, key, frame))


def _refuse_unscored(facts: Facts, cut: Cut, asked: _Asked) -> None:
    if not asked.view.reads_sentiment:
        return
    # Several inputs are made of the same texts.
    missing = [
        one.reading.scores.missing(facts.known[one.name])
        for one in facts.inputs
        if one.reading.scores
    ]
    unscored = max(missing, default=0)
    if unscored:
        universe, pinned = cut.universe.name, asked.pinned
        by, model = (f" by {pinned}", f" --model {pinned}") if pinned else ("", "")
        raise TextUnscored(
            f"{unscored} headlines of {universe} up to {cut.last} have no sentiment{by}: "
            f"run `python -m training score-text{model} --universe {universe} --session "
            f"{cut.last} --snapshot {cut.snapshot}`"
        )


def load_matrix(
    store: Store,
    cut: Cut,
    view: FeatureView,
    text_model: str = "",
    target: Target | None = None,
    missing: Missing = "refuse",
) -> pa.Table:
    """The view's features of the sessions and a target's truth, by session and instrument.

    The truth is the target's, without one a view's of before its own label's; without either the
    features stand alone. Columns: instrument_id, symbol, session, as_of, the features
    (float32 and nothing else is, null explicit); what naive forecasts of the target are made of
    (float64, `Label.beside`: persistence is its newest value settled by as_of); label (0 down, 1
    neutral, 2 up, or a float64 where it has no classes; null until it is settled by the close of
    `last`), settled_at, total_return (from the entry to where the label closes the position),
    delisted, ambiguous (whether the label rests on a rule about a bar that leaves it open).
    text_model: as for `materialise`. missing: sessions that are not materialised at exactly this
    snapshot are written as `materialise` does, or MatrixMissing is raised.
    """
    asked = _Asked(store, cut, view, text_model)
    found = _found(asked, missing)
    label = target.label if target else view.label
    if label is not None:
        found = found.join(_labels(asked, label), on=KEY, how="left")
    return _strings(found.sort(KEY).to_arrow())


def load_features(
    store: Store, cut: Cut, view: FeatureView, text_model: str = "", missing: Missing = "refuse"
) -> pa.Table:
    """What `load_matrix` gives up to the features: for those who ask what is not yet known."""
    return _strings(_found(_Asked(store, cut, view, text_model), missing).sort(KEY).to_arrow())


def _found(asked: _Asked, missing: Missing) -> pl.DataFrame:
    if missing == "write":
        _materialise(asked)
    paths = asked.written()
    _refuse_missing(asked, sorted(set(asked.members.sessions) - set(paths)))
    return pl.concat(_part(path, paths) for path in sorted(set(paths.values())))


def load_labels(store: Store, cut: Cut, view: FeatureView, target: Target) -> pl.DataFrame:
    """What `load_matrix` puts beside the features, by session, instrument_id and as_of.

    No matrix has to be there: what came true does not hang on who scored the texts.
    """
    return _labels(_Asked(store, cut, view), target.label)


def _labels(asked: _Asked, label: Label) -> pl.DataFrame:
    facts = asked.facts(asked.cut, label.reach, PRICES)
    return labels_of(asked.store, facts, asked.cut.snapshot, label)


def _refuse_missing(asked: _Asked, missing: Sequence[date]) -> None:
    if missing:
        view, universe, snapshot = asked.view, asked.cut.universe.name, asked.cut.snapshot
        raise MatrixMissing(
            f"view {view.name} ({view.hash}) of {universe} has {len(missing)} sessions from "
            f"{missing[0]} to {missing[-1]} without a matrix at snapshot {snapshot}: run `python "
            f"-m features materialise --view {view.name} --universe {universe} --first "
            f"{missing[0]} --last {missing[-1]} --snapshot {snapshot}{with_model(asked.pinned)}`"
        )


def written(store: Store, cut: Cut, view: FeatureView, text_model: str = "") -> pl.DataFrame:
    """The features of the cut's last session as they were written; raises MatrixMissing."""
    paths = _Asked(store, cut.since(cut.last), view, text_model).written()
    if cut.last not in paths:
        raise MatrixMissing(
            f"view {view.name} of {cut.universe.name} has no matrix of {cut.last} at snapshot "
            f"{cut.snapshot}"
        )
    return _part(paths[cut.last], paths)


def online(store: Store, cut: Cut, view: FeatureView, text_model: str = "") -> pl.DataFrame:
    """The features of the cut's last session from the rows that it needs; nothing is written."""
    asked = cut.since(cut.last), view.reach, view.inputs, view.interval, text_model
    return _features(read(store, Request(*asked)), view)


def _part(path: str, written: dict[date, str]) -> pl.DataFrame:
    frame = pl.read_parquet(objects.get(path))
    return frame.filter(pl.col("session").is_in([d for d, p in written.items() if p == path]))


def _strings(table: pa.Table) -> pa.Table:
    plain = [
        pa.field(f.name, pa.string() if pa.types.is_large_string(f.type) else f.type)
        for f in table.schema
    ]
    return table.cast(pa.schema(plain))


def _receipt(asked: _Asked, sessions: Sequence[date], key: str, frame: pl.DataFrame) -> pa.Table:
    counts = dict(frame.group_by("session").len().iter_rows())
    constant: dict[str, object] = {"view_hash": asked.view.hash, "view": asked.view.name}
    constant |= {"universe": asked.cut.universe.name, "snapshot": asked.cut.snapshot}
    constant |= {"path": key, "text_model": asked.text_model}
    now = datetime.now(UTC)
    rows = [
        {**constant, "session": day, "rows": counts.get(day, 0), "created_at": now}
        for day in sessions
    ]
    return pa.Table.from_pylist(rows, schema=MATERIALISATIONS.schema)


def _features(facts: Facts, view: FeatureView, engine: Engine = evaluate) -> pl.DataFrame:
    panel = decision_panel(facts, view.reach)
    values = engine(panel, view.members, dtype=np.float32)
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
