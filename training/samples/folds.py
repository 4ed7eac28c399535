"""Walk-forward folds: learn from what had settled, answer for what came after."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from contracts.expected import Expected
from training.samples.samples import Samples, TrainingError


class ShuffledTime(Expected, ValueError):
    """Rows do not come in the order of their sessions."""


@dataclass(frozen=True)
class Fold:
    """Row positions of one step forward; every test row is newer than every training row."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]


@dataclass(frozen=True)
class WalkForward:
    """How time is cut: `count` test blocks of equal length after a first `warm_up` share.

    embargo: sessions left out between the last training session and the first test session.
    """

    count: int = 4
    warm_up: float = 0.4
    embargo: int = 1

    def split(self, samples: Samples) -> list[Fold]:
        """Folds over the samples, oldest first, each trained on all that had settled before.

        A training row's label had settled by the first `as_of` of the test block, and its
        session lies more than `embargo` sessions before that block. Raises ShuffledTime when the
        rows are not sorted by session, TrainingError when there are too few sessions.
        """
        sessions = samples.sessions
        if (sessions[1:] < sessions[:-1]).any():
            raise ShuffledTime(
                "rows must be sorted by session: a shuffled split would train on the future"
            )
        days = np.unique(sessions)
        edges = np.linspace(len(days) * self.warm_up, len(days), self.count + 1).round().astype(int)
        if edges[0] <= self.embargo or (np.diff(edges) < 1).any():
            raise TrainingError(
                f"expected sessions enough for {self.count} folds after a warm-up of "
                f"{self.warm_up:.0%}, found {len(days)}: load more sessions"
            )
        return [self._fold(samples, days, int(start), int(stop)) for start, stop in pairwise(edges)]

    def _fold(self, samples: Samples, days: NDArray[np.generic], start: int, stop: int) -> Fold:
        test = (samples.sessions >= days[start]) & (samples.sessions <= days[stop - 1])
        begins = samples.as_of[test].min()
        far = samples.sessions < days[start - self.embargo]
        return Fold(
            train=np.flatnonzero(far & (samples.settled_at <= begins)), test=np.flatnonzero(test)
        )


def inner_split(samples: Samples, share: float) -> tuple[Samples, Samples]:
    """The samples but for the newest `share` of sessions, purged by settlement, and those.

    What an expert decides inside its fold, such as when to stop, it decides on the second part.
    """
    days = np.unique(samples.sessions)
    newest = samples.sessions >= days[int(len(days) * (1 - share))]
    settled = samples.settled_at <= samples.as_of[newest].min()
    return samples.take(settled & ~newest), samples.take(newest)
