"""What a challenger has written down: forecasts that are answers, of all that is forecast."""

from collections.abc import Iterator
from datetime import date
from random import Random
from typing import Any

import numpy as np
import orjson

from contracts.cut import Cut
from contracts.expected import Expected
from contracts.release.rollout import Rollout
from contracts.store import Store, StoreUnavailable
from contracts.universe import universe
from monitoring.release.check import FAIL, NO_DATA, PASS, Check
from training.bundle.bundle import manifest_of
from training.bundle.text_model import text_model
from training.forecast import ForecastError

# Instruments whose features are computed again.
SAMPLE = 20
_NEWEST = "SELECT max(session) AS session FROM predictions WHERE universe = %s AND target = %s"
_SAID = """
SELECT bundle, instrument_id, snapshot, forecast::text AS forecast FROM predictions
WHERE universe = %s AND target = %s AND session = %s AND bundle IN (%s, %s)
"""
_OLDER = """
SELECT forecast::text AS forecast FROM predictions
WHERE universe = %s AND target = %s AND bundle = %s AND session < %s
"""

_SINCE = """
SELECT forecast::text AS forecast FROM predictions
WHERE universe = %s AND target = %s AND bundle = %s AND session >= %s
"""


def checks(store: Store, release: Rollout) -> Iterator[Check]:
    """Of the newest session: there, finite and within the form's bounds, and without skew."""
    place = (release.universe, release.target)
    session = store.query(_NEWEST, place)["session"][0].as_py()
    covers = "covers, symbols"
    if session is None:
        yield Check(covers, NO_DATA, "as the champion", why="nobody has forecasts yet")
        return
    both = (release.champion, release.bundle)
    rows = store.query(_SAID, (*place, session, *both)).to_pylist()
    theirs = {row["instrument_id"] for row in rows if row["bundle"] == release.champion}
    its = [row for row in rows if row["bundle"] == release.bundle]
    own = {row["instrument_id"] for row in its}
    counts = float(len(theirs)), float(len(own))
    if not its:
        why = f"no forecasts of {session} yet: run `python -m serving catch-up`"
        yield Check(covers, NO_DATA, "as the champion", *counts, why)
        return
    missing = sorted(theirs - own)
    why = f"it has no forecast of {', '.join(missing[:5])}" if missing else ""
    yield Check(covers, FAIL if missing else PASS, "as the champion", *counts, why)
    older = store.query(_OLDER, (*place, release.bundle, session)).to_pylist()
    yield sound(release.bundle, [*its, *older])
    yield _skew(store, release, session, its)


def said_since(store: Store, release: Rollout, since: date) -> list[dict[str, Any]]:
    """What the challenger of a release wrote down of sessions from that day on."""
    where = (release.universe, release.target, release.bundle, since)
    return list(store.query(_SINCE, where).to_pylist())


def sound(bundle: str, rows: list[dict[str, Any]]) -> Check:
    """The check that stored forecasts of a bundle are answers of its form; rows: `forecast`."""
    name, asked = "answers are sound", manifest_of(bundle).asked
    count, limit = float(len(rows)), "finite, within bounds"
    try:
        told = [orjson.loads(row["forecast"]) for row in rows]
        said = np.array([[one[c] for c in asked.columns] for one in told], dtype=np.float64)
        asked.head.require(said)
    except (ForecastError, LookupError, TypeError, ValueError) as error:
        why = f"they are no answers: {type(error).__name__}: {error}"
        return Check(name, FAIL, limit, None, count, why)
    return Check(name, PASS, limit, None, count)


def _skew(store: Store, release: Rollout, session: date, rows: list[dict[str, Any]]) -> Check:
    """Features as an online decision computes them, beside those that were materialised."""
    from features.matrix.skew import skew
    from features.view import view

    name, limit, manifest = "feature skew, values", "0", manifest_of(release.bundle)
    snapshot = max(row["snapshot"] for row in rows)
    known = sorted(row["instrument_id"] for row in rows if row["snapshot"] == snapshot)
    sample = Random(f"{session} {release.bundle}").sample(known, min(SAMPLE, len(known)))
    try:
        cut = Cut.at(universe(release.universe), session, snapshot)
        pinned = text_model(store, manifest)
        found = skew(store, cut, view(manifest.view), sample, pinned)
    except StoreUnavailable:
        raise
    except Expected as error:
        return Check(name, NO_DATA, limit, why=str(error))
    count = float(sum(found.apart.values()))
    why = f"{', '.join(sorted(found.apart)[:5])} differ online" if count else ""
    return Check(name, FAIL if count else PASS, limit, None, count, why)
