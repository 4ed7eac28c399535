"""Two bundles beside each other, for people: an A/B test that may be looked at every day."""

from collections.abc import Iterator

import typer

from contracts.champion import Office
from contracts.expected import Expected
from contracts.store import Store
from monitoring.release import losses
from monitoring.release.peeking import FEWEST, LEVEL, WARM_UP, Compared
from training.bundle.bundle import manifest_of
from training.forecast import ForecastError

_KNOWN = """
SELECT DISTINCT target, bundle FROM (
  SELECT target, bundle FROM promotions WHERE universe = %s
  UNION ALL SELECT target, bundle FROM rollouts WHERE universe = %s) known
WHERE %s IN ('', target) ORDER BY 1, 2
"""


class NotComparable(Expected, ValueError):
    """Two bundles that are not of one office, or answers that are none; the message says which."""


def named(store: Store, universe: str, target: str, bundles: str) -> tuple[str, str, Office]:
    """Both bundles whole, by their beginnings, and the office that they are of."""
    asked = [part.strip() for part in bundles.split(",")]
    if len(asked) != 2 or not all(asked) or asked[0] == asked[1]:
        raise typer.BadParameter(f"expected two bundles as A,B, found {bundles!r}")
    rows = store.query(_KNOWN, (universe, universe, target)).to_pylist()
    found = [[row for row in rows if row["bundle"].startswith(part)] for part in asked]
    both = {row["target"] for row in found[0]} & {row["target"] for row in found[1]}
    if len(both) != 1 or any(len({row["bundle"] for row in rows}) != 1 for rows in found):
        known = ", ".join(f"{row['target']} {row['bundle'][:12]}" for row in rows) or "none"
        raise NotComparable(
            f"expected two bundles of one office in {universe}, each named by its beginning; "
            f"found {bundles!r}, known are {known}"
        )
    return found[0][0]["bundle"], found[1][0]["bundle"], Office(universe, both.pop())


def report(store: Store, office: Office, first: str, second: str) -> Iterator[str]:
    """A line for each judged loss, and in the last one who is better in the deciding one.

    Raises NotComparable where either said what is no answer.
    """
    yield f"{office}: A is {first[:12]}, B is {second[:12]}; smaller is better"
    try:
        rows = losses.paired(store, office, first, second)
        its = list(losses.sequences(rows, manifest_of(first).horizon))
    except ForecastError as error:
        raise NotComparable(f"one of both bundles said what is no answer: {error}") from error
    said = []
    for loss, found, (one, other) in its:
        said.append(_said(found))
        # The same as would be told on any other day: that is what the level is of.
        reach = f"[{found.low:+.3f}, {found.high:+.3f}]"
        yield (
            f"{loss.words}: A {one:.5f}, B {other:.5f}, A - B {found.difference:+.5f} {loss.unit}; "
            f"in its own past's units {reach} over {found.n} sessions: {said[-1]}"
        )
    if not said:
        yield "no session is settled of which both have forecasts"
    yield said[0] if said else "undecided"


def _said(found: Compared) -> str:
    if found.larger or found.smaller:
        return f"{'B' if found.larger else 'A'} is better (level {LEVEL:g}, at any time)"
    if found.n < FEWEST:
        return f"undecided: {FEWEST} sessions are needed after the {WARM_UP} that set the scale"
    return "undecided"
