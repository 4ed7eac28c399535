"""Settled forecasts of the same rows by two bundles: what one loses more, by session."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from scipy import special

from contracts.champion import Office
from contracts.release.rollout import Rollout
from contracts.store import Store
from monitoring.release.check import FAIL, NO_DATA, PASS, Check
from monitoring.release.peeking import Compared, compared
from monitoring.truth.performance import settled
from monitoring.truth.said import newest
from training.bundle.bundle import manifest_of
from training.evidence.intervals import per_session
from training.forecast import Classes, Floats, ForecastError
from training.objective import Forecasts, Loss, Objective, Truth

# Newest sessions that are compared, and how few tell nothing: as many as bring an earlier champion
# back, which would else wait for more until its deadline.
SESSIONS, FEWEST = 500, 10
# The chance at which a challenger that is as good is taken for a worse one.
LEVEL = 0.01
_ROW = ["instrument_id", "as_of"]
_COMMON = """
SELECT session FROM (
  SELECT DISTINCT p.session, p.bundle FROM predictions p
  WHERE p.universe = %s AND p.target = %s AND p.bundle IN (%s, %s) AND p.session >= %s
    AND EXISTS (SELECT FROM outcomes o WHERE o.prediction_id = p.prediction_id)) said
GROUP BY session HAVING count(*) = 2 ORDER BY session DESC LIMIT %s
"""
# In the evidence of an earlier champion: the first session by which it was found better.
SINCE = "since"
_EARLIER = """
SELECT (evidence ->> 'since')::date AS since FROM promotions
WHERE promotion_id = %s AND cause = 'earlier'
"""


@dataclass(frozen=True)
class Paired:
    """Settled forecasts of the same n rows; sessions: (n,) datetime64, in their order."""

    asked: Objective
    first: Floats
    second: Floats
    truth: Truth
    sessions: np.ndarray

    def before(self, day: date) -> "Paired":
        """The rows of the sessions before that day."""
        kept = self.sessions < np.datetime64(day, "D")
        sides = self.first[kept], self.second[kept]
        return Paired(self.asked, *sides, self.truth[kept], self.sessions[kept])

    def turned(self) -> "Paired":
        """The same with the sides exchanged."""
        return replace(self, first=self.second, second=self.first)

    def losses(self, loss: Loss) -> tuple[Floats, Floats, np.ndarray]:
        """Both sides' losses of the rows that count for it, and the sessions of those."""
        one, other = (
            np.asarray(loss.of(Forecasts(self.asked, said), self.truth), dtype=np.float64)
            for said in (self.first, self.second)
        )
        both = np.isfinite(one) & np.isfinite(other)
        return one[both], other[both], self.sessions[both]


def since(store: Store, release: Rollout) -> date:
    """The first session by which a release is judged: of an earlier champion, which comes back
    since the world is another, that where the change began; else all."""
    found = store.query(_EARLIER, (release.rollout_id,))["since"].to_pylist()
    return found[0] if found and found[0] else date.min


def paired(
    store: Store, office: Office, first: str, second: str, begin: date = date.min
) -> Paired | None:
    """The settled forecasts that both bundles made, from a session on, of rows of which both said
    numbers; None where there are none."""
    place = (office.universe, office.target)
    found = store.query(_COMMON, (*place, first, second, begin, SESSIONS))
    days: Sequence[date] = sorted(found["session"].to_pylist())
    if not days:
        return None
    asked = manifest_of(first).asked
    one, other = (newest(settled(store, (*place, b), asked, days)) for b in (first, second))
    both = one.join(other, on=_ROW, suffix="_other").sort("session", *_ROW)
    columns = list(asked.columns)
    sides = both.select(*columns, *(f"{name}_other" for name in columns))
    told = sides.to_numpy().astype(np.float64)
    # What is no number has no loss, and is found by who asks whether answers are sound.
    numbers = np.isfinite(told).all(axis=1)
    both = both.filter(numbers)
    if both.is_empty():
        return None
    said, said_too = np.split(told[numbers], 2, axis=1)
    truth = both["truth"].to_numpy()
    return Paired(
        asked,
        said,
        said_too,
        truth.astype(np.int64 if isinstance(asked.head, Classes) else np.float64),
        both["session"].to_numpy().astype("datetime64[D]"),
    )


def sequences(
    rows: Paired | None, horizon: int
) -> Iterator[tuple[Loss, Compared, tuple[float, float]]]:
    """Each judged loss of two bundles, compared so that it may be looked at every day, and their
    means; nothing where no session is settled of which both have forecasts."""
    if rows is None:
        return
    for loss in rows.asked.judged:
        one, other, sessions = rows.losses(loss)
        if len(one):
            means = float(one.mean()), float(other.mean())
            yield loss, compared(one - other, sessions, horizon), means


def its_rows(store: Store, release: Rollout) -> Paired | None:
    """The settled rows by which a release is judged; None where there are none."""
    return paired(store, release.office, release.champion, release.bundle, since(store, release))


def checks(release: Rollout, rows: Paired | None) -> list[Check]:
    """No judged loss of the challenger is larger by more than its margin, beyond chance.

    Rows are paired and told by session; a difference that is always the same is a constant bias.
    Of long labels few sessions tell little: there the contest has decided.
    """
    if rows is None:
        why = "no session is settled of which both have forecasts"
        asked = manifest_of(release.champion).asked
        return [
            Check(f"settled {one.words}", NO_DATA, _limit(one), why=why) for one in asked.judged
        ]
    try:
        return list(_worse(rows, manifest_of(release.champion).horizon))
    except ForecastError as error:
        # If it is the challenger that said so, it has failed already.
        return [Check("settled losses", NO_DATA, "are answers", why=str(error))]


def before_office(release: Rollout, rows: Paired | None) -> Iterator[Check]:
    """The gate's question once more of a champion that may never have stood before it: of the
    sessions before it came into office, which stay the same however often it is asked.

    Raises ForecastError where either said what is no answer.
    """
    if rows is not None:
        known = rows.before(release.decided_at.date())
        for one in _worse(known, manifest_of(release.champion).horizon):
            yield replace(one, name=f"{one.name} before it")


def _worse(rows: Paired, horizon: int) -> Iterator[Check]:
    for loss in rows.asked.judged:
        champion, challenger, sessions = rows.losses(loss)
        name, count = f"settled {loss.words}", len(np.unique(sessions))
        if count < FEWEST:
            why = f"{count} sessions are settled, {FEWEST} are needed"
            yield Check(name, NO_DATA, _limit(loss), why=why)
            continue
        more, chance = excess(challenger - champion, sessions, horizon)
        worse = more > loss.margin and chance < LEVEL
        why = f"{more:+.5f} {loss.unit} over {count} sessions (p {chance:.4f})" if worse else ""
        means = float(champion.mean()), float(challenger.mean())
        yield Check(name, FAIL if worse else PASS, _limit(loss), *means, why)


def excess(differences: Floats, sessions: np.ndarray, horizon: int) -> tuple[float, float]:
    """The mean difference per row, and the chance of one so large where none is.

    Sessions are joined to blocks as long as a label, which share next to nothing with each other;
    the blocks' sums follow Student's law. A single block tells no error: nothing is unlikely then.
    """
    _, sums, rows = per_session(differences, sessions)
    blocks = max(1, len(sums) // horizon)
    place = np.minimum(np.arange(len(sums)) // horizon, blocks - 1)
    total, count = np.bincount(place, sums), np.bincount(place, rows)
    mean = float(total.sum() / count.sum())
    if blocks == 1:
        return mean, 1.0
    left = total - mean * count
    error = float(np.sqrt(blocks / (blocks - 1) * (left**2).sum())) / float(count.sum())
    if not error:
        return mean, 0.0 if mean > 0 else 1.0
    return mean, float(special.stdtr(blocks - 1, -mean / error))


def _limit(loss: Loss) -> str:
    return f"+{loss.margin:g} {loss.unit}, p < {LEVEL:g}"
