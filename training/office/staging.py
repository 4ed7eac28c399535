"""Challengers on their way into office: rows of `rollouts`, written under the office's lock."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import orjson
import pyarrow as pa

from contracts.champion import PROMOTED, Office, champion, model_name
from contracts.context import run_context
from contracts.expected import Expected
from contracts.release.rollout import (
    BEGIN,
    PROMOTE,
    ROLLBACK,
    STEPS,
    Rollout,
    Stage,
    Verdict,
    decisions,
    staged,
)
from contracts.settings import settings
from contracts.store import Store
from contracts.tables import ROLLOUTS
from training.bundle import bundle
from training.office.ledger import (
    Ledger,
    Ruling,
    deciding,
    follow,
    numbered,
    record,
    require_champion,
)
from training.run.lock import Lock, locked
from training.run.records import Fit


class ReleaseRefused(Expected, RuntimeError):
    """A release cannot begin or go on; the message says what stands in its way and what to do."""


@dataclass(frozen=True)
class Step:
    """What one decision does: a verdict, where the release stands after it, why, and by what."""

    verdict: Verdict
    stage: Stage
    share: float
    reason: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


def begin(store: Store, office: Office, candidate: Fit, reason: str, now: datetime) -> Rollout:
    """Begin a release of a bundle against the champion in office; returns its first decision.

    Raises ReleaseRefused, StepMissing without a champion, BundleError, LockLost.
    """
    with deciding(store, office) as lock:
        return begin_under(lock, store, office, candidate, (reason, now))


def begin_under(
    lock: Lock,
    store: Store,
    office: Office,
    candidate: Fit,
    why: tuple[str, datetime],
    named: str = "",
) -> Rollout:
    """As `begin`, by a holder of the office's lock; why: reason and time.

    named: the release's id; one of that name which has begun already is not begun again.
    """
    reason, now = why
    for row in decisions(store, office):
        if row.rollout_id == named:
            return row
    # One of a universe at a time: who answers a caller is one question, not one of each target.
    with locked(store, f"release {office.universe}"):
        require_free(store, office, candidate.bundle, now)
        first = _release(store, office, numbered(office, candidate), now, named)
        return write(lock, first, Step(BEGIN, *STEPS[0], reason), now)


def chosen(lock: Lock, store: Store, office: Office, choice: Fit, now: datetime) -> None:
    """Write down that a person puts a bundle into office past the gate: it is guarded then as if
    it had come by a release, and what was under way beside the one before is over.

    By a holder of the office's lock, before the promotion's own row. Raises LockLost.
    """
    own = [one for one in staged(store, office.universe) if one.office == office]
    if any(one.bundle == choice.bundle for one in own):
        return  # The gate finds it in office.
    for one in own:
        reason = f"a person put {choice.bundle[:12]} into office"
        write(lock, one, Step(ROLLBACK, "out", 0.0, reason), now)
    about = _release(store, office, choice, now)
    write(lock, about, Step(PROMOTE, *STEPS[-1], "a person put it into office"), now)


def _release(store: Store, office: Office, about: Fit, now: datetime, named: str = "") -> Rollout:
    stage, share = STEPS[0]
    return Rollout(
        decision_id="",
        rollout_id=named or uuid4().hex,
        universe=office.universe,
        target=office.target,
        bundle=about.bundle,
        model_name=about.model or model_name(office),
        model_version=about.version,
        champion=require_champion(store, office).bundle,
        stage=stage,
        share=share,
        verdict=BEGIN,
        reason="",
        actor="",
        decided_at=now,
    )


def require_free(store: Store, office: Office, challenger: str, now: datetime) -> None:
    """Raise ReleaseRefused unless a release of the bundle may begin, BundleError for a bad one or
    one of another view than the code's."""
    for other in staged(store, office.universe):
        raise ReleaseRefused(
            f"expected no release under way in {office.universe}, found {other.bundle[:12]} of "
            f"{other.target} ({other.stage}, {other.share:.0%}): wait for it, or end it with "
            "`python -m monitoring rollout --abort REASON`"
        )
    if require_champion(store, office).bundle == challenger:
        raise ReleaseRefused(f"{challenger[:12]} is in office already: nothing to release")
    until = cool_until(store, office)
    if until is not None and now < until:
        raise ReleaseRefused(
            f"{office} lost a guard after a promotion and cools down until {until:%Y-%m-%d %H:%M} "
            "UTC (FINPULSE_COOL_DOWN_HOURS): begin it then"
        )
    loaded = bundle.load(challenger)
    loaded.require_view()
    trained = Office(loaded.manifest.universe, loaded.manifest.target)
    if trained != office:
        raise ReleaseRefused(f"{challenger[:12]} was trained for {trained}, not for {office}")


def cool_until(store: Store, office: Office) -> datetime | None:
    """Until when nobody is staged after a promotion that did not hold; None where none failed."""
    rows = decisions(store, office)
    for row, before in pairwise(rows):
        left = row.rollout_id == before.rollout_id and before.stage == "office"
        if row.verdict == ROLLBACK and left:
            return row.decided_at + timedelta(hours=settings().cool_down_hours)
    return None


def write(ledger: Ledger, about: Rollout, step: Step, now: datetime) -> Rollout:
    """Add a decision on a release to the ledger; returns it.

    ledger: the lock of the office, so that the row is written under it or not at all.
    """
    made = replace(
        about,
        decision_id=uuid4().hex,
        verdict=step.verdict,
        stage=step.stage,
        share=step.share,
        reason=step.reason,
        actor=run_context().airflow_run,
        decided_at=now,
    )
    row = vars(made) | {"numbers": orjson.dumps(step.numbers).decode()}
    ledger.record(ROLLOUTS, pa.Table.from_pylist([row], schema=ROLLOUTS.schema))
    return made


def take(store: Store, about: Rollout, step: Step, now: datetime) -> Rollout:
    """Decide on a release that stands where `about` says; into office it goes as promotions do.

    Raises ReleaseRefused where somebody else has decided on it meanwhile.
    """
    with deciding(store, about.office) as lock:
        newest = decisions(store, about.office)[0]
        if (newest.rollout_id, newest.stage, newest.share) != (
            *(about.rollout_id, about.stage, about.share),
        ):
            raise ReleaseRefused(
                f"the release of {about.bundle[:12]} was decided on meanwhile ({newest.verdict}, "
                f"{newest.stage}): ask the gate again"
            )
        if step.stage == "office":
            _promote(lock, store, about, step, now)
        made = write(lock, about, step, now)
        if step.stage == "office":
            follow(store, about.office)
    return made


def _promote(lock: Lock, store: Store, about: Rollout, step: Step, now: datetime) -> None:
    in_office = champion(store, about.office)
    if in_office is not None and in_office.bundle == about.bundle:
        return  # It came into office on the way: by a person, or by one who was killed here.
    if in_office is None or in_office.bundle != about.champion:
        raise ReleaseRefused(
            f"{about.bundle[:12]} was held against {about.champion[:12]}, which is in office no "
            "more: ask the gate again"
        )
    evidence = {"rollout": about.rollout_id, "checks": step.numbers}
    # Named by its release: whoever repeats it adds nothing.
    named = f"canary-{about.rollout_id[:25]}"
    ruling = Ruling(named, PROMOTED, "canary", step.reason, evidence, about.champion)
    fit = numbered(about.office, Fit("", about.bundle, about.model_version, about.model_name))
    record(lock, about.office, fit, ruling, now)
