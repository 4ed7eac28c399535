"""What one training run may see: universe, session, snapshot and recipe, and the cut in time."""

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pyarrow as pa

from contracts.settings import settings
from contracts.store import Store
from contracts.time.calendar import session_close, shift
from features.target import Target, target
from features.view import FeatureView, view
from training.bundle.history import lookback
from training.bundle.manifest import Manifest
from training.objective import OBJECTIVES, Objective
from training.recipe import Recipe, recipe
from training.samples.samples import Samples, TrainingError, from_matrix, stamp


@dataclass(frozen=True)
class Scope:
    """One training run. The newest `contest_sessions` up to `session` are kept for the contest."""

    universe: str
    session: date
    snapshot: int
    recipe: Recipe
    calendar: str
    contest_sessions: int

    @property
    def name(self) -> str:
        """Names the scope in object keys and run keys."""
        return f"{self.universe}_{self.recipe.name}_{self.session}_{self.snapshot}"

    @property
    def trained_until(self) -> date:
        """The last session that training sees."""
        return shift(self.calendar, self.session, -self.contest_sessions)

    @property
    def as_of(self) -> datetime:
        """The moment up to which truth is known to training."""
        return session_close(self.calendar, self.trained_until)

    def training(self, store: Store) -> Samples:
        """All rows whose truth had settled by `as_of`; raises TrainingError."""
        first = self._first(store, self.view)
        if first > self.trained_until:
            raise TrainingError(
                f"the matrix begins at {first}, and the newest {self.contest_sessions} sessions up "
                f"to {self.session} are kept for the contest: nothing is left to train on; load "
                "more sessions or lower FINPULSE_CONTEST_SESSIONS"
            )
        matrix = self._matrix(store, self.view, first, self.trained_until)
        return from_matrix(matrix, self.recipe.features).settled_by(self.as_of)

    def contest(self, store: Store, side: Manifest, after: datetime) -> Samples:
        """A side's settled rows decided later than `after` (UTC), up to `session`; or none.

        The rows before them come along for its windows to look back on.
        """
        chosen = view(side.view)
        begin = shift(self.calendar, self.trained_until, 1) - lookback(side.window)
        first = max(self._first(store, chosen), begin)
        matrix = self._matrix(store, chosen, first, self.session)
        samples = from_matrix(matrix, side.features)
        settled = samples.settled_by(session_close(self.calendar, self.session))
        # Of younger sessions only those rows have settled that moved fast.
        whole = np.datetime64(shift(self.calendar, self.session, -self.overlap), "D")
        return settled.take((settled.as_of > stamp(after)) & (settled.sessions <= whole))

    @property
    def view(self) -> FeatureView:
        """The recipe's view."""
        return view(self.recipe.view)

    @property
    def target(self) -> Target:
        """What the recipe foretells."""
        return target(self.recipe.target)

    @property
    def objective(self) -> Objective:
        """How the recipe answers."""
        return OBJECTIVES.get(self.recipe.objective)

    @property
    def overlap(self) -> int:
        """How many sessions a label of the target spans; one of minutes ends with its session."""
        return self.target.label.horizon if self.view.interval == "1d" else 1

    def _matrix(self, store: Store, chosen: FeatureView, first: date, last: date) -> pa.Table:
        from features.matrix.matrix import load_matrix

        asked = chosen.toward(self.target)
        return load_matrix(store, asked, self.universe, first, last, self.snapshot)

    def _first(self, store: Store, chosen: FeatureView) -> date:
        found = store.query(
            "SELECT min(session) AS first FROM materialisations "
            "WHERE view_hash = %s AND universe = %s AND snapshot = %s",
            (chosen.hash, self.universe, self.snapshot),
        )["first"].to_pylist()
        if not found or found[0] is None:
            raise TrainingError(
                f"no session of {self.universe} is materialised at snapshot {self.snapshot}: run "
                f"`python -m features materialise --view {chosen.name} --universe "
                f"{self.universe} --first D --last {self.session} --snapshot {self.snapshot}`"
            )
        return date.fromisoformat(str(found[0]))


def scope(universe: str, session: date, snapshot: int, recipe_name: str) -> Scope:
    """The scope of a verb's options; raises UnknownMember, NotASession."""
    known = settings()
    chosen = recipe(recipe_name)
    session_close(known.calendar, session)
    return Scope(universe, session, snapshot, chosen, known.calendar, known.contest_sessions)
