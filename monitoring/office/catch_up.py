"""A champion that a person put into office gets its forecasts at once, not with the next session.

A contest's winner gets them from the step after it in its DAG; a choice made in MLflow and a
rollback have no such step, and the predictor serves no champion without forecasts.
"""

import logging
import subprocess
import sys
from dataclasses import dataclass
from datetime import date

from contracts.champion import PROMOTED, ROLLED_BACK
from contracts.store import Store

log = logging.getLogger(__name__)

_SECONDS = 300


@dataclass(frozen=True)
class Gap:
    """What the champion in office has not forecast: the newest session, and the loads it saw."""

    universe: str
    bundle: str
    session: date
    snapshot: int


def gap(store: Store, universe: str) -> Gap | None:
    """The newest forecast session that the champion, chosen by hand, has no forecast of."""
    rows = store.query(
        "WITH office AS (SELECT bundle, evidence FROM promotions WHERE universe = %s "
        "AND decision IN (%s, %s) ORDER BY number DESC LIMIT 1), "
        "newest AS (SELECT session, max(snapshot) AS snapshot FROM predictions "
        "WHERE universe = %s AND session = (SELECT max(session) FROM predictions "
        "WHERE universe = %s) GROUP BY session) "
        "SELECT bundle, session, snapshot FROM office, newest WHERE NOT evidence ? 'p_value' "
        "AND NOT EXISTS (SELECT FROM predictions p WHERE p.universe = %s "
        "AND p.bundle = office.bundle AND p.session = newest.session)",
        (universe, PROMOTED, ROLLED_BACK, universe, universe, universe),
    ).to_pylist()
    return Gap(universe, **rows[0]) if rows else None


def fill(missed: Gap) -> bool:
    """Run the verb that forecasts, as a person would; False, and a line of log, when it fails."""
    command = [sys.executable, "-m", "serving", "predict", "--universe", missed.universe]
    command += ["--session", str(missed.session), "--snapshot", str(missed.snapshot)]
    fields = {"bundle": missed.bundle, "session": str(missed.session)}
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = str(error.stderr or error)[-500:]
        log.error("the champion has no forecasts", extra=fields | {"error": said})
        return False
    log.info("forecasts of the new champion recorded", extra=fields)
    return True
