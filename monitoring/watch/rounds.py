"""A round through the alarm families of a champion: what each says at a session, written down."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime

import numpy as np
import pyarrow as pa

from contracts import verbs
from contracts.champion import Office, champion
from contracts.cut import Cut
from contracts.release.rollout import staged
from contracts.store import Store
from contracts.tables import ALARMS
from monitoring.family import FAMILIES, Family, Watched
from monitoring.watch.chart import LEAST, chart
from training.bundle import bundle
from training.office.staging import cool_until

# An alarm is persistent where so many of the newest sessions were beyond the severe limit.
OF_THE_LAST, ARE = 7, 5
# Sessions, a month, after which an alarm that stays wakes again.
AGAIN = 21

_WOKE = """
SELECT max(session) AS session FROM alarms
WHERE universe = %s AND target = %s AND wakes AND NOT (family = ANY(%s))
"""


@dataclass(frozen=True)
class Alarm:
    """What a family says at a session.

    number: as far as its track is known. watched: sessions in office that it knows. began: where
    the rise began that the number is the end of. alarm: above the threshold; persistent: above the
    severe limit often enough of late; wakes: whether it sets work going.
    """

    family: str
    number: float
    threshold: float
    severe: float
    watched: int
    began: date | None
    alarm: bool
    persistent: bool
    wakes: bool = False

    @property
    def words(self) -> str:
        """It in one line, for people."""
        mark = "PERSISTENT" if self.persistent else "ALARM" if self.alarm else ""
        limits = f"of {self.threshold:.2f}, severe {self.severe:.2f}"
        since = f", rising since {self.began}" if self.alarm and self.began else ""
        told = (
            f"{self.family:14} {self.number:8.2f} {limits}, {self.watched} sessions{since} {mark}"
        )
        return told.rstrip() + (" wakes train_models" if self.wakes else "")


def watch(store: Store, office: Office, cut: Cut, now: datetime) -> list[Alarm]:
    """Ask every family about the office's champion at the cut's last session, and record it.

    Those that have nothing to say yet, or of this champion at all, are not among the answers. One
    that fails stops no other; its error is raised in the end.
    """
    held = champion(store, office)
    if held is None:
        return []
    watched = Watched(store, held, bundle.load(held.bundle), cut, now)
    found, named = list[Alarm](), {f"{office} {one.name}": one for one in FAMILIES}
    try:
        verbs.each(named, lambda name: found.extend(_of(named[name], watched)))
    finally:
        quiet = not any(one.persistent for one in found) or _busy(store, office, now)
        found = [
            replace(o, wakes=not quiet and o.persistent and _rested(watched, o)) for o in found
        ]
        _record(store, watched, found)
    return found


def _of(family: Family, watched: Watched) -> Iterator[Alarm]:
    if (whole := family.track(watched)) is None:
        return
    track = whole.known()
    if family.limit is not None:
        number = float(track.values[-1])
        beyond = number > family.limit
        limits = (family.limit, family.limit)
        yield Alarm(family.name, number, *limits, len(track.values), None, beyond, beyond)
        return
    # The same for the same past, whenever it is asked.
    seed = hashlib.sha256(f"{family.name} {watched.held.bundle}".encode()).digest()
    before = watched.before(track.sessions, LEAST)
    made = chart(
        *(track.values, before, track.overlap),
        both=family.both,
        seed=int.from_bytes(seed[:4]),
    )
    if made is None:
        return
    in_office = track.sessions[len(track.sessions) - len(made.numbers) :]
    began = None if made.began is None else in_office[made.began].astype(object)
    lately = int(np.count_nonzero(made.numbers[-OF_THE_LAST:] > made.severe))
    sides = (made.number, made.threshold, made.severe, len(in_office), began)
    yield Alarm(family.name, *sides, made.number > made.threshold, lately >= ARE)


def _busy(store: Store, office: Office, now: datetime) -> bool:
    """Whether a release is under way, or nobody may be staged yet."""
    until = cool_until(store, office)
    return bool(staged(store, office.universe)) or (until is not None and now < until)


def _rested(watched: Watched, one: Alarm) -> bool:
    """Whether nothing has been set going of late; a change does not wait for what only was old."""
    declared = [each.name for each in FAMILIES if each.limit is not None]
    office = watched.held.office
    others = [] if one.family in declared else declared
    found = watched.store.query(_WOKE, (office.universe, office.target, others))
    last, cut = found["session"][0].as_py(), watched.cut
    return last is None or (last < cut.last and len(cut.since(last).sessions) > AGAIN)


def _record(store: Store, watched: Watched, found: list[Alarm]) -> None:
    universe, target, bundle_hash = watched.place
    place = {"universe": universe, "target": target, "bundle": bundle_hash}
    about = {"session": watched.cut.last, "snapshot": watched.cut.snapshot}
    rows = [asdict(one) | place | about | {"scored_at": watched.now} for one in found]
    store.record(ALARMS, pa.Table.from_pylist(rows, schema=ALARMS.schema))
