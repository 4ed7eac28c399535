"""Scores of forecasts, kept as sums per session so that each can be left out at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from training.forecast import Floats
from training.objective import Forecasts, Objective, Truth
from training.samples.samples import Stamps

Scores: TypeAlias = Mapping[str, Floats]


@dataclass(frozen=True)
class Tally:
    """Sums per session, sessions sorted: `table` (sessions, k) of the objective's statistics."""

    objective: Objective
    sessions: Stamps
    table: Floats

    def scores(self) -> Scores:
        """The objective's metrics over all sessions, (1,) each."""
        return self._scores(self.table.sum(axis=0, keepdims=True))

    def left_out(self) -> Scores:
        """The metrics over all sessions but one, (sessions,) each; none where there is only one."""
        rest = self.table.sum(axis=0) - self.table
        return self._scores(rest if len(rest) > 1 else rest[:0])

    def _scores(self, sums: Floats) -> Scores:
        found = self.objective.scores(sums)
        return {metric: found[metric] for metric in self.objective.metrics}


def tally(said: Forecasts, truth: Truth, sessions: Stamps) -> Tally:
    """Sum up forecasts (n) beside the truth (n) of their sessions (n)."""
    days, place = np.unique(sessions, return_inverse=True)
    statistics = said.objective.statistics(said, truth)
    sums = [np.bincount(place, values, len(days)) for values in statistics]
    return Tally(said.objective, days, np.stack(sums, axis=1))
