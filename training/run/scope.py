"""What one training run may see: a cut and a recipe, and where training ends in it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from contracts.champion import Office
from contracts.champion import text_model as todays
from contracts.cut import Cut
from contracts.settings import settings
from contracts.store import Store
from contracts.time.calendar import session_close, shift
from features.matrix.receipts import require_first
from features.target import Target, target
from features.view import FeatureView, view
from training.bundle.codes import with_codes
from training.bundle.history import lookback
from training.bundle.inputs import ROW, beside, with_answers
from training.bundle.manifest import Manifest
from training.bundle.text_model import text_model
from training.objective import OBJECTIVES, Objective
from training.recipe import Recipe, recipe
from training.samples.samples import Samples, TrainingError, from_matrix, stamp
from training.text.named import version


@dataclass(frozen=True)
class Scope:
    """One training run at a session, the cut's last.

    The newest `contest_sessions` up to it are kept for the contest. text_model: the version whose
    sentiments its features are made of, where they read any.
    """

    cut: Cut
    recipe: Recipe
    contest_sessions: int
    text_model: str = ""

    @property
    def universe(self) -> str:
        """The universe's name."""
        return self.cut.universe.name

    @property
    def office(self) -> Office:
        """Where what the recipe trains may become champion."""
        return Office(self.universe, self.recipe.target)

    @property
    def session(self) -> date:
        """The newest session that the run looks at."""
        return self.cut.last

    @property
    def snapshot(self) -> int:
        """The newest load that the run looks at."""
        return self.cut.snapshot

    @property
    def calendar(self) -> str:
        """That of the universe."""
        return self.cut.universe.calendar

    @property
    def name(self) -> str:
        """Names the scope in object keys and run keys."""
        return f"{self.universe}_{self.recipe.name}_{self.session}_{self.snapshot}"

    @property
    def title(self) -> str:
        """As people see it in MLflow."""
        return f"{self.recipe.name} {self.session}"

    @property
    def parameters(self) -> dict[str, Any]:
        """What every run of it logs."""
        known = {"universe": self.universe, "recipe": self.recipe.name, "as_of": self.as_of}
        return known | {"snapshot": self.snapshot, "session": self.session}

    @property
    def trained_until(self) -> date:
        """The last session that training sees."""
        return shift(self.calendar, self.session, -self.contest_sessions)

    @property
    def as_of(self) -> datetime:
        """The moment up to which truth is known to training."""
        return session_close(self.calendar, self.trained_until)

    def training(self, store: Store, heard: pa.Table | None = None) -> Samples:
        """All rows whose truth had settled by `as_of`; raises TrainingError.

        heard: what the recipe's parts said out of sample, float32 by instrument_id and as_of. Its
        columns are features too, and rows of which it says nothing are left out.
        """
        first = self._first(store)
        if first > self.trained_until:
            raise TrainingError(
                f"the matrix begins at {first}, and the newest {self.contest_sessions} sessions up "
                f"to {self.session} are kept for the contest: nothing is left to train on; load "
                "more sessions or lower FINPULSE_CONTEST_SESSIONS"
            )
        cut = self.cut.since(first).until(self.trained_until)
        matrix = self._matrix(store, self.view, cut, self.text_model)
        features = self.recipe.features
        if self.recipe.encoder:
            known = set(matrix.column_names)
            matrix = with_codes(matrix, self.recipe.encoder, self.view.hash)
            codes = (name for name in matrix.column_names if name not in known)
            features = (*(features or self.view.features), *codes)
        if heard is not None:
            matrix = beside(matrix, heard, "inner")
            features = (*features, *(n for n in heard.column_names if n not in ROW))
        return from_matrix(matrix, features).settled_by(self.as_of)

    def contest(self, store: Store, side: Manifest, after: datetime) -> Samples:
        """A side's settled rows decided later than `after` (UTC), up to `session`; or none.

        The rows before them come along for its windows to look back on. What is not written with
        the side's view and text model is written.
        """
        chosen, pinned = view(side.view), text_model(store, side)
        before = lookback(side.window, chosen.interval)
        begin = shift(self.calendar, self.trained_until, 1) - before
        first = max(self._first(store), begin)
        cut = self.cut.since(first)
        matrix = self._matrix(store, chosen, cut, pinned, missing="write")
        matrix = with_answers(store, cut, side, matrix)
        settled = from_matrix(matrix, side.features).settled_by(self.cut.end)
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

    def _matrix(
        self,
        store: Store,
        chosen: FeatureView,
        cut: Cut,
        pinned: str,
        missing: Literal["refuse", "write"] = "refuse",
    ) -> pa.Table:
        from features.matrix.matrix import load_matrix

        return load_matrix(store, cut, chosen, pinned, self.target, missing)

    def _first(self, store: Store) -> date:
        return require_first(store, self.cut, self.view, self.text_model)


def scope(store: Store, cut: Cut, recipe_name: str) -> Scope:
    """The scope of a verb's options; raises UnknownMember, NotASession, TrainingError."""
    chosen = recipe(recipe_name)
    _ = cut.end  # says so where the calendar has no such session
    rows, counted = view(chosen.view).interval, target(chosen.target).interval
    if rows != counted:
        raise TrainingError(
            f"the recipe {chosen.name} learns from {chosen.view}, whose rows are bars of {rows}, "
            f"and foretells {chosen.target}, which counts bars of {counted}: name a view and a "
            "target of one interval in the recipe"
        )
    pinned = text_model_today(store, view(chosen.view))
    return Scope(cut, chosen, settings().contest_sessions, pinned)


def text_model_today(store: Store, chosen: FeatureView) -> str:
    """The version of the settings' text model, where features of the view read any; else empty."""
    known = settings()
    if not chosen.reads_sentiment:
        return ""
    return version(todays(store, known.text_model), known.text_labels)
