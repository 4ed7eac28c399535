"""How good a champion's forecasts turned out, beside champion zero's of the same rows.

Rows are read once: what a session's settled forecasts add up to is kept, and only sessions with
other truths than before are read again.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeAlias

import numpy as np
import polars as pl

from contracts.champion import Office, reign
from contracts.store import Store
from monitoring.truth.baseline import Baseline, baseline
from monitoring.truth.said import columns
from training.bundle.bundle import manifest_of
from training.forecast import Classes, Floats
from training.objective import Forecasts, Objective

CHAMPION = "champion"
# Rows that are held at once.
_ROWS = 200_000

# How many truths a session's forecasts have, restated ones too: counted as they are recorded, and
# they are only ever added, so the sums move with it.
_MARKS = """
SELECT (groups ->> 'session')::date AS session, sum(n)::bigint AS n FROM tallies
WHERE table_name = 'outcomes'
  AND groups @> jsonb_build_object('universe', %s, 'target', %s, 'bundle', %s)
GROUP BY 1 ORDER BY 1
"""
_SETTLED = """
SELECT session, instrument_id, as_of, snapshot, origin, {columns}, truth.truth
FROM predictions p
JOIN LATERAL (
  SELECT coalesce(label, value) AS truth FROM outcomes o WHERE o.prediction_id = p.prediction_id
  ORDER BY version DESC LIMIT 1
) truth ON true
WHERE p.universe = %s AND p.target = %s AND p.bundle = %s AND p.session = ANY(%s::date[])
"""

# What the forecasts of one origin add up to, by forecaster: n, and the objective's statistics.
Sums: TypeAlias = dict[tuple[str, str], tuple[int, Floats]]


@dataclass(frozen=True)
class Performance:
    """The metrics of n settled forecasts of one origin; loss: the one that decides a contest."""

    forecaster: str
    origin: str
    n: int
    loss: str
    scores: Mapping[str, float]


@dataclass
class _Kept:
    # Of one champion, by session: what it adds up to, and the mark under which that was read.
    asked: Objective
    beside: Baseline | None
    sessions: dict[date, tuple[int, Sums]] = field(default_factory=dict)


class Truths:
    """What is known of each office's champion; `of` reads what has come since it was last asked."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[Office, tuple[tuple[str, str], _Kept]] = {}

    def of(self, office: Office) -> list[Performance]:
        """The champion and champion zero by origin of the forecasts; empty before any truth."""
        ranks = reign(self._store, office)
        if not ranks:
            return []
        who = ranks[0].bundle, ranks[-1].bundle
        if office not in self._kept or self._kept[office][0] != who:
            asked = manifest_of(ranks[0].bundle).asked
            beside = baseline(self._store, *who, asked)
            self._kept[office] = who, _Kept(asked, beside)
        kept = self._kept[office][1]
        self._read(kept, (office.universe, office.target, ranks[0].bundle))
        return list(_scored(kept.asked, [sums for _, sums in kept.sessions.values()]))

    def _read(self, kept: _Kept, where: Sequence[str]) -> None:
        rows = self._store.query(_MARKS, where).to_pylist()
        marks = {row["session"]: row["n"] for row in rows}
        kept.sessions = {day: each for day, each in kept.sessions.items() if day in marks}
        read = {day: mark for day, (mark, _) in kept.sessions.items()}
        stale = {day: mark for day, mark in marks.items() if read.get(day) != mark}
        for days in _blocks(stale):
            found = settled(self._store, where, kept.asked, days)
            for day, sums in _added_up(found, kept.asked, kept.beside).items():
                kept.sessions[day] = (marks[day], sums)


def _blocks(rows: Mapping[date, int]) -> Iterator[list[date]]:
    block, held = list[date](), 0
    for day, count in rows.items():
        if block and held + count > _ROWS:
            yield block
            block, held = [], 0
        block.append(day)
        held += count
    if block:
        yield block


def settled(
    store: Store, where: Sequence[str], asked: Objective, days: Sequence[date]
) -> pl.DataFrame:
    """Forecasts of a (universe, target, bundle) on those sessions with their newest truth.

    Columns: session, instrument_id, as_of, snapshot, origin, those of the objective, truth.
    """
    statement = _SETTLED.format(columns=columns(asked))
    return pl.DataFrame(store.query(statement, (*where, list(days))))


def _added_up(rows: pl.DataFrame, asked: Objective, beside: Baseline | None) -> dict[date, Sums]:
    said = {CHAMPION: rows.select(asked.columns).to_numpy().astype(np.float64)}
    if beside is not None and (other := beside.answers(rows)) is not None:
        said[beside.name] = other
    truth = rows["truth"].to_numpy()
    truth = truth.astype(np.int64 if isinstance(asked.head, Classes) else np.float64)
    found: dict[date, Sums] = defaultdict(dict)
    groups = rows.with_row_index("row").group_by("session", "origin").agg("row")
    for name, values in said.items():
        counted = asked.statistics(Forecasts(asked, values), truth)
        for day, origin, places in groups.iter_rows():
            found[day][name, origin] = (len(places), counted[:, places].sum(axis=1))
    return found


def _scored(asked: Objective, sessions: Sequence[Sums]) -> Iterator[Performance]:
    parts: dict[tuple[str, str], list[tuple[int, Floats]]] = defaultdict(list)
    for sums in sessions:
        for who, part in sums.items():
            parts[who].append(part)
    rows = {who: sum(n for n, _ in each) for who, each in parts.items()}
    loss = asked.judged[0].name
    for (forecaster, origin), each in sorted(parts.items(), key=lambda item: item[0][1]):
        if rows[forecaster, origin] < rows[CHAMPION, origin]:
            continue  # Not asked about every row, it would be beside others than the champion.
        whole = np.sum([counted for _, counted in each], axis=0)[None, :]
        scores = {name: float(value[0]) for name, value in asked.scores(whole).items()}
        yield Performance(forecaster, origin, rows[forecaster, origin], loss, scores)
