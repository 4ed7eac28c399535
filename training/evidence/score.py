"""Scores of forecasts, kept as sums per session so that each can be left out at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from training.forecast import CLASSES, DOWN, NEUTRAL, UP, Floats, Forecasts, Labels
from training.samples.samples import Stamps

Scores: TypeAlias = Mapping[str, Floats]

METRICS = ("accuracy", "macro_f1", "mcc", "log_loss", "brier", "direction_loss")
_FLOOR = 1e-15
_K = len(CLASSES)


@dataclass(frozen=True)
class Tally:
    """Sums per session, sessions sorted: `table` is (sessions, columns).

    The columns are the confusion table row by row (truth x forecast, 9), the log loss, the Brier
    score and the direction loss. All METRICS follow from sums of these rows.
    """

    sessions: Stamps
    table: Floats

    @property
    def n(self) -> int:
        """Rows that were scored."""
        return int(self.table[:, : _K * _K].sum())

    def scores(self) -> Scores:
        """METRICS over all sessions, (1,) each."""
        return _scores(self.table.sum(axis=0, keepdims=True))

    def left_out(self) -> Scores:
        """METRICS over all sessions but one, (sessions,) each; none where there is only one."""
        rest = self.table.sum(axis=0) - self.table
        return _scores(rest if len(rest) > 1 else rest[:0])


def losses(forecasts: Forecasts, truth: Labels) -> Floats:
    """Log loss of each row in nats, (n,)."""
    picked = forecasts.probabilities[np.arange(len(truth)), truth]
    return np.asarray(-np.log(np.clip(picked, _FLOOR, 1)), dtype=np.float64)


def direction_losses(forecasts: Forecasts, truth: Labels) -> Floats:
    """Log loss in nats of up against down, (n,); 0 where the truth is neutral.

    The chance of up is p_up / (p_up + p_down). How likely a barrier is touched at all, which
    follows from volatility and says nothing about the way, plays no part in it.
    """
    down, up = forecasts.probabilities[:, DOWN], forecasts.probabilities[:, UP]
    right = np.where(truth == UP, up, down) / np.maximum(up + down, _FLOOR)
    return np.where(truth == NEUTRAL, 0.0, -np.log(np.clip(right, _FLOOR, 1)))


def tally(forecasts: Forecasts, truth: Labels, sessions: Stamps) -> Tally:
    """Sum up forecasts (n) beside the truth (n) of their sessions (n)."""
    days, place = np.unique(sessions, return_inverse=True)
    table = np.zeros((len(days), _K * _K + 3))
    np.add.at(table, (place, truth * _K + forecasts.labels), 1.0)
    squared = ((forecasts.probabilities - np.eye(_K)[truth]) ** 2).sum(axis=1)
    sums = (losses(forecasts, truth), squared, direction_losses(forecasts, truth))
    for column, values in enumerate(sums, start=_K * _K):
        np.add.at(table[:, column], place, values)
    return Tally(days, table)


def _scores(sums: Floats) -> Scores:
    confusion = sums[:, : _K * _K].reshape(-1, _K, _K)
    n = confusion.sum(axis=(1, 2))
    hits = np.trace(confusion, axis1=1, axis2=2)
    return {
        "accuracy": hits / n,
        "macro_f1": _macro_f1(confusion),
        "mcc": _matthews(confusion, n, hits),
        "log_loss": sums[:, -3] / n,
        "brier": sums[:, -2] / n,
        "direction_loss": sums[:, -1] / np.maximum(n - confusion[:, NEUTRAL].sum(axis=1), 1),
    }


def _macro_f1(confusion: Floats) -> Floats:
    # A class that neither came nor was forecast counts 0, as scikit-learn has it.
    right = np.diagonal(confusion, axis1=1, axis2=2)
    either = confusion.sum(axis=2) + confusion.sum(axis=1)
    return np.asarray((2 * right / np.maximum(either, 1)).mean(axis=1))


def _matthews(confusion: Floats, n: Floats, hits: Floats) -> Floats:
    # Gorodkin's correlation for K classes (2004); 0 where a side has one class only.
    truth, forecast = confusion.sum(axis=2), confusion.sum(axis=1)
    covariance = hits * n - (truth * forecast).sum(axis=1)
    spread = (n**2 - (truth**2).sum(axis=1)) * (n**2 - (forecast**2).sum(axis=1))
    root = np.sqrt(np.maximum(spread, 0))
    return np.asarray(np.where(root > 0, covariance / np.where(root > 0, root, 1), 0))
