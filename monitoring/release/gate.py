"""The gate: one evaluation of a staged challenger, one answer, one row in the ledger."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts import universe as universes
from contracts.champion import champion
from contracts.expected import Expected
from contracts.release.rollout import (
    HOLD,
    PROMOTE,
    ROLLBACK,
    STEPS,
    Rollout,
    decisions,
    newest,
)
from contracts.settings import settings
from contracts.store import Store
from contracts.time import calendar
from monitoring.release import calibration, forecasts, losses, traffic, weight
from monitoring.release.check import FAIL, NO_DATA, PASS, Check, collected
from monitoring.release.traffic import Prometheus
from training.bundle.bundle import manifest_of
from training.office.staging import Step, take


class NothingStaged(Expected, LookupError):
    """No release is under way where one was asked about; the message says how to begin one."""


@dataclass(frozen=True)
class Evaluation:
    """What the gate found and did. before: where the release stood; after: where it stands now."""

    checks: Sequence[Check]
    before: Rollout
    after: Rollout

    @property
    def verdict(self) -> str:
        """PROMOTE, HOLD or ROLLBACK."""
        return self.after.verdict


def under_way(store: Store, universe: str, target: str = "") -> Rollout:
    """The newest decision of a universe's release, or of one office; raises NothingStaged."""
    known = [one for one in newest(store, universe) if target in ("", one.target)]
    found = sorted(known, key=lambda one: (one.staged, one.decided_at))
    if not found or not found[-1].staged:
        last = f"; the last one ended in {found[-1].stage}" if found else ""
        raise NothingStaged(
            f"expected a release under way in {universe}{'/' + target if target else ''}, found "
            f"none{last}: begin one with `python -m monitoring rollout --begin BUNDLE`"
        )
    return found[-1]


def evaluate(store: Store, release: Rollout, now: datetime) -> Evaluation:
    """Ask all about a staged challenger, decide, and act on it.

    Whatever fails rolls it back; where something is not known it waits, until the step's deadline.
    Raises ReleaseRefused where somebody else decided meanwhile.
    """
    held = champion(store, release.office)
    if held is not None and held.bundle == release.bundle:
        over = Step(PROMOTE, *STEPS[-1], "it came into office meanwhile")
        return Evaluation((), release, take(store, release, over, now))
    begun = began(store, release)
    found = collected(_checks(store, release, now - begun))
    step = decided(release, found, now - begun, waited(release, begun, now))
    return Evaluation(found, release, take(store, release, step, now))


def began(store: Store, release: Rollout) -> datetime:
    """When the release came to the step at which it stands."""
    at = release.decided_at
    for row in decisions(store, release.office):
        where = (row.rollout_id, row.stage, row.share)
        if where != (release.rollout_id, release.stage, release.share):
            break
        at = row.decided_at
    return at


def waited(release: Rollout, begun: datetime, now: datetime) -> bool:
    """Whether a step lacks data for too long: for the hours of the settings, a whole session of its
    exchange among them. Few call over a weekend, before which each week's training ends."""
    if now - begun <= timedelta(hours=settings().release_hours):
        return False
    name = universes.universe(release.universe).calendar
    if now.date() > calendar.known(name)[1]:
        return True
    days = calendar.sessions_known(name, begun.date(), now.date())
    hours = ((calendar.session_open(name, day), calendar.session_close(name, day)) for day in days)
    return any(begun <= opens and closes <= now for opens, closes in hours)


def decided(release: Rollout, found: Sequence[Check], since: timedelta, late: bool) -> Step:
    """What follows from the checks for a release that has stood at its step for so long; late:
    longer than it may lack data."""
    numbers = {"checks": [one.as_json() for one in found], "seconds": since.total_seconds()}
    failed = [one.words for one in found if one.result == FAIL]
    if failed:
        return Step(ROLLBACK, "out", 0.0, "; ".join(failed), numbers)
    unknown = [one.words for one in found if one.result == NO_DATA]
    if unknown and late:
        told = f"no data within {settings().release_hours:g} h (FINPULSE_RELEASE_HOURS)"
        return Step(ROLLBACK, "out", 0.0, f"{told}: {'; '.join(unknown)}", numbers)
    if unknown:
        return Step(HOLD, release.stage, release.share, "; ".join(unknown), numbers)
    stage, share = STEPS[STEPS.index((release.stage, release.share)) + 1]
    return Step(PROMOTE, stage, share, f"all {len(found)} checks passed", numbers)


def _checks(store: Store, release: Rollout, since: timedelta) -> Iterator[Check]:
    in_office = _in_office(store, release)
    yield in_office
    if in_office.result == FAIL:
        return  # Against whom else?
    first = weight.checks(release.champion, release.bundle)
    yield from first
    if first[0].result != PASS:
        return  # What does not load has no other numbers.
    yield from forecasts.checks(store, release)
    rows = losses.its_rows(store, release)
    yield from losses.checks(release, rows)
    server = Prometheus(settings().prometheus_url)
    seen = traffic.traffic(server, release, since.total_seconds())
    yield from traffic.checks(seen, settings().release_requests)
    if rows is not None:
        yield calibration.check(rows, manifest_of(release.champion).horizon)


def _in_office(store: Store, release: Rollout) -> Check:
    held = champion(store, release.office)
    name = held.bundle if held else "nobody"
    if name == release.champion:
        return Check("champion in office", PASS, "as it began")
    why = f"{name[:12]} came into office meanwhile: begin a release against it"
    return Check("champion in office", FAIL, "as it began", why=why)
