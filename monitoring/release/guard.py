"""After a release: whoever came into office by it is held against the champion of before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.champion import champion
from contracts.release.rollout import ROLLBACK, Rollout, newest
from contracts.store import Store
from monitoring.release import forecasts, losses, weight
from monitoring.release.check import FAIL, NO_DATA, PASS, Check, collected
from monitoring.release.peeking import FEWEST
from training.bundle.bundle import manifest_of
from training.forecast import ForecastError
from training.office.staging import Step, take
from training.steps.rollback import roll_back


@dataclass(frozen=True)
class Guarded:
    """What the guard found of a champion; after: the decision that put it out, if any."""

    checks: Sequence[Check]
    release: Rollout
    after: Rollout | None


def guarded(store: Store, universe: str, now: datetime) -> list[Rollout]:
    """The releases of a universe, or of all, whose challengers came into office not long ago."""
    found = []
    for one in newest(store, universe):
        held = champion(store, one.office) if one.guarded(now) else None
        if held is not None and held.bundle == one.bundle:
            found.append(one)
    return found


def guard(store: Store, release: Rollout, now: datetime) -> Guarded:
    """Hold the champion against the one before, which comes back where the guard is lost.

    What is not known yet is no loss. Raises StepMissing, BundleError where nobody can come back.
    """
    found = collected(_checks(store, release))
    lost = [one.words for one in found if one.result == FAIL]
    if not lost:
        return Guarded(found, release, None)
    reason = f"a guard was lost after the release: {'; '.join(lost)}"
    roll_back(store, release.office, release.bundle, reason, now)
    numbers = {"checks": [one.as_json() for one in found]}
    out = take(store, release, Step(ROLLBACK, "out", 0.0, reason, numbers), now)
    return Guarded(found, release, out)


def _checks(store: Store, release: Rollout) -> Iterator[Check]:
    [loads] = weight.checks(release.champion, release.bundle)[:1]
    yield loads
    if loads.result != PASS:
        return  # Nothing can be asked of what does not load.
    if said := forecasts.said_since(store, release, release.decided_at.date()):
        sound = forecasts.sound(release.bundle, said)
        yield sound
        if sound.result == FAIL:
            return  # What are no answers has no losses.
    # It is asked every day: only what holds at all times together may put somebody out.
    rows = losses.its_rows(store, release)
    try:
        first = list(losses.before_office(release, rows))
        own_first = rows and rows.turned()
        its = list(losses.sequences(own_first, manifest_of(release.bundle).horizon))
    except ForecastError as error:
        # If it is the one in office that said so, it has failed already.
        yield Check("settled losses", NO_DATA, "are answers", why=str(error))
        return
    yield from first
    for loss, found, (own, before) in its:
        lost = found.larger and found.difference > loss.margin
        result = FAIL if lost else PASS if found.n >= FEWEST else NO_DATA
        why = f"{found.difference:+.5f} {loss.unit} over {found.n} sessions" if lost else ""
        limit = f"+{loss.margin:g} {loss.unit}, at any time"
        yield Check(f"settled {loss.words}", result, limit, before, own, why)
