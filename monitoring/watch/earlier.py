"""Earlier champions first: whether one of them is surely better of late than the one in office."""

from dataclasses import asdict, dataclass
from datetime import date, datetime

import numpy as np

from contracts.champion import Champion, Office, champion
from contracts.cut import Cut
from contracts.expected import Expected
from contracts.store import Store
from contracts.time.calendar import session_close, shift
from features.matrix.matrix import load_matrix
from features.view import view
from monitoring.release.losses import FEWEST, SINCE, excess
from training.bundle import bundle
from training.bundle.bundle import Bundle, manifest_of
from training.bundle.history import lookback
from training.bundle.inputs import with_answers
from training.bundle.manifest import BundleError
from training.bundle.text_model import text_model
from training.forecast import Floats
from training.objective import Forecasts
from training.office.former import bring_back, formers
from training.run.records import Fit
from training.samples.samples import Samples, common, from_matrix, stamp

# The newest settled sessions that are looked at, more where the alarm began before them.
SESSIONS = FEWEST
# The chance that any of those that are tried comes back though it is no better.
LEVEL = 0.01

# What no change is behind, as a champion's age, has no beginning.
_BEGAN = """
SELECT min(began) AS began FROM alarms
WHERE universe = %s AND target = %s AND bundle = %s AND persistent AND session = (
  SELECT max(session) FROM alarms
  WHERE universe = %s AND target = %s AND bundle = %s AND session <= %s)
"""


@dataclass(frozen=True)
class Tried:
    """An earlier champion beside the one in office, on the same settled rows.

    gain: by how much smaller its mean of the deciding loss is; chance: of one so large where there
    is none. better: whether it is surely so, and harms no other loss. why: in words.
    """

    bundle: str
    gain: float
    chance: float
    sessions: int
    better: bool
    why: str

    @property
    def words(self) -> str:
        """It in one line, for people."""
        return f"{self.bundle[:12]} {'is better' if self.better else 'stays away'}: {self.why}"


def earlier(
    store: Store, office: Office, cut: Cut, now: datetime, *, judge: bool = False
) -> tuple[list[Tried], str]:
    """Try the office's earlier champions on the rows since a lasting alarm began; the best goes
    into a release.

    Returns who was tried, and the bundle that is on its way back, empty where nobody is surely
    better: then a challenger is to be trained. Nobody is tried where no change is alarmed, so that
    looking every week puts nobody in by luck. Who was rolled back once is not tried. Where releases
    are not staged it takes office at once. Asked again it finds the same. judge: whoever is better
    is named, and stays where it is. Raises ReleaseRefused where no release may begin, LockLost.
    """
    held = champion(store, office)
    if held is None:
        return [], ""
    place = (held.universe, held.target, held.bundle)
    began: date | None = store.query(_BEGAN, (*place, *place, cut.last))["began"][0].as_py()
    if began is None:
        return [], ""
    known, calendar = formers(store, office), cut.universe.calendar
    newest = shift(calendar, cut.last, -SESSIONS - manifest_of(held.bundle).horizon)
    since = min(newest, shift(calendar, began, -1))
    tried = [_tried(store, (one, held), cut, since, LEVEL / len(known)) for one in known]
    best = max((one for one in tried if one.better), key=lambda one: one.gain, default=None)
    if best is None or judge:
        return tried, best.bundle if best else ""
    then = next(one for one in known if one.bundle == best.bundle)
    reason = f"an earlier champion is better of late: {best.why}"
    evidence = {"tried": [asdict(one) for one in tried], "snapshot": cut.snapshot}
    evidence |= {SINCE: str(shift(calendar, since, 1))}
    about = Fit("", then.bundle, then.model_version, then.model_name)
    bring_back(store, held, about, (reason, evidence), now)
    return tried, best.bundle


def _tried(
    store: Store, both: tuple[Champion, Champion], cut: Cut, since: date, level: float
) -> Tried:
    former, held = both
    try:
        theirs, ours = bundle.load(held.bundle), bundle.load(former.bundle)
        for side in (theirs, ours):
            side.require_view()
        if ours.manifest.label != theirs.manifest.label:
            raise BundleError(f"it foretells {ours.manifest.label}")
    except (Expected, FileNotFoundError) as error:
        return Tried(former.bundle, 0.0, 1.0, 0, False, f"it cannot be asked: {error}")
    # Neither is judged by what it was trained on.
    closed = session_close(cut.universe.calendar, since)
    after = max(closed, theirs.manifest.as_of, ours.manifest.as_of)
    rows = _rows(store, theirs, cut, after), _rows(store, ours, cut, after)
    return _compared(rows, (theirs, ours), level)


def _rows(store: Store, side: Bundle, cut: Cut, after: datetime) -> Samples:
    manifest = side.manifest
    chosen, pinned = view(manifest.view), text_model(store, manifest)
    whole = cut.since(after.date() - lookback(manifest.window, chosen.interval))
    matrix = load_matrix(store, whole, chosen, pinned, manifest.taught(), missing="write")
    matrix = with_answers(store, whole, manifest, matrix)
    settled = from_matrix(matrix, manifest.features).settled_by(cut.end)
    # Of younger sessions only those rows have settled that moved fast.
    last = np.datetime64(shift(cut.universe.calendar, cut.last, -manifest.horizon), "D")
    return settled.take((settled.as_of > stamp(after)) & (settled.sessions <= last))


def _compared(rows: tuple[Samples, Samples], sides: tuple[Bundle, Bundle], level: float) -> Tried:
    held, former = common(*rows)
    asked, sessions = sides[1].manifest.asked, len(np.unique(held.sessions))
    name = sides[1].hash
    if sessions < SESSIONS:
        why = f"{sessions} sessions are settled since, {SESSIONS} are needed"
        return Tried(name, 0.0, 1.0, sessions, False, why)
    said = [
        Forecasts(asked, rows.answers(side.manifest.window, side.forecast))
        for side, rows in zip(sides, (held, former), strict=True)
    ]
    doubts, gain, chance = list[str](), 0.0, 1.0
    for place, loss in enumerate(asked.judged):
        theirs, own = (np.asarray(loss.of(one, held.truth), dtype=np.float64) for one in said)
        counts = np.isfinite(theirs) & np.isfinite(own)
        less: Floats = theirs[counts] - own[counts]
        if place == 0:
            gain, chance = excess(less, held.sessions[counts], sides[1].manifest.horizon)
            told = f"{loss.words} {gain:+.5f} {loss.unit} less over {sessions} sessions"
            told += f" (p {chance:.4f}, needed below {level:.4f})"
            doubts += [""] if gain < loss.margin or chance >= level else []
        elif len(less) and -float(less.mean()) > loss.margin:
            doubts.append(f"; its {loss.words} is larger by {-float(less.mean()):.5f} {loss.unit}")
    return Tried(name, gain, chance, sessions, not doubts, told + "".join(doubts))
