"""Which way: probabilities of down, neutral and up."""

from collections.abc import Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.forecast import Classes, Floats, frequencies
from training.objective import (
    ABSTAIN,
    BUY,
    HOLD,
    SELL,
    Baseline,
    Forecasts,
    Loss,
    Objective,
    Rows,
    Truth,
    objective,
)

Labels: TypeAlias = NDArray[np.int64]

CLASSES = ("down", "neutral", "up")
DOWN, NEUTRAL, UP = range(3)
UNKNOWN = -1
TOO_GOOD = 0.60

_FLOOR = 1e-15
_K = len(CLASSES)
_HEAD = Classes(_K)
_TENTHS = 10


def log_losses(said: Forecasts, truth: Truth) -> Floats:
    """Log loss of each row in nats, (n,)."""
    picked = said.values[np.arange(len(truth)), truth]
    return np.asarray(-np.log(np.clip(picked, _FLOOR, 1)), dtype=np.float64)


def direction_losses(said: Forecasts, truth: Truth) -> Floats:
    """Log loss in nats of up against down, (n,); null where the truth is neutral.

    The chance of up is p_up / (p_up + p_down). How likely a barrier is touched at all, which
    follows from volatility and says nothing about the way, plays no part in it.
    """
    down, up = said.values[:, DOWN], said.values[:, UP]
    right = np.where(truth == UP, up, down) / np.maximum(up + down, _FLOOR)
    return np.where(truth == NEUTRAL, np.nan, -np.log(np.clip(right, _FLOOR, 1)))


def class_prior(train: Rows, test: Rows) -> Forecasts:
    """The training frequencies; its class is always the training majority."""
    return Forecasts(_trend(), np.tile(frequencies(train.truth, _HEAD), (len(test), 1)))


def persistence(train: Rows, test: Rows) -> Forecasts:
    """The class of the instrument's newest settled label; without one, the training majority."""
    return _at_best(_newest(train), _newest(test), train)


def reversal(train: Rows, test: Rows) -> Forecasts:
    """Against the return of the sessions before: down after a rise, up after a fall."""
    return _at_best(_against(train), _against(test), train)


def always_up(train: Rows, test: Rows) -> Forecasts:
    """Up, whatever happens."""
    return _at_best(np.full(len(train), UP), np.full(len(test), UP), train)


@objective("trend")
class Trend(Objective):
    """Probabilities of down, neutral and up; a signal where one way outweighs the other."""

    columns = tuple(f"p_{name}" for name in CLASSES)
    head = _HEAD
    kinds = ("triple_barrier",)
    judged = (
        Loss("direction_loss", direction_losses, 0.001),
        Loss("log_loss", log_losses, 0.001),
    )
    learned = "log_loss"
    metrics = ("accuracy", "macro_f1", "mcc", "log_loss", "brier", "direction_loss", "ece")
    coarse = ("accuracy", "macro_f1", "mcc", "ece")
    baselines: ClassVar[Mapping[str, Baseline]] = {
        "class_prior": class_prior,
        "persistence": persistence,
        "reversal": reversal,
        "always_up": always_up,
    }
    zero = "class_prior"
    # By how much the chance of up must exceed that of down to buy, and the reverse to sell. A third
    # one, `abstain`, is the chance of the most probable class below which there is no signal.
    thresholds: ClassVar[Mapping[str, float]] = {"buy": 0.05, "sell": 0.05}

    def statistics(self, said: Forecasts, truth: Truth) -> Floats:
        """The confusion table row by row (truth x forecast), losses, and what calibration takes.

        That is log loss, Brier score, direction loss, and for each tenth of confidence by how much
        it exceeds the hits.
        """
        place = truth * _K + said.point.astype(np.int64)
        confusion = (place == np.arange(_K * _K)[:, None]).astype(np.float64)
        squared = ((said.values - np.eye(_K)[truth]) ** 2).sum(axis=1)
        found = self.losses(said, truth)
        way = np.nan_to_num(found["direction_loss"])
        losses = np.stack([found["log_loss"], squared, way])
        sure = _HEAD.confidence(said.values)
        tenth = np.minimum((sure * _TENTHS).astype(np.int64), _TENTHS - 1)
        apart = sure - (said.values.argmax(axis=1) == truth)
        excess = np.where(tenth == np.arange(_TENTHS)[:, None], apart, 0.0)
        return np.concatenate([confusion, losses, excess])

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """All metrics follow from the confusion table and the sums.

        ece: the expected calibration error of the most probable class, over tenths of its chance
        (Guo, Pleiss, Sun and Weinberger 2017).
        """
        confusion = sums[:, : _K * _K].reshape(-1, _K, _K)
        log_loss, brier, way = sums[:, _K * _K : _K * _K + 3].T
        n = confusion.sum(axis=(1, 2))
        hits = np.trace(confusion, axis1=1, axis2=2)
        return {
            "accuracy": hits / n,
            "macro_f1": _macro_f1(confusion),
            "mcc": _matthews(confusion, n, hits),
            "log_loss": log_loss / n,
            "brier": brier / n,
            "direction_loss": way / np.maximum(n - confusion[:, NEUTRAL].sum(axis=1), 1),
            "ece": np.abs(sums[:, -_TENTHS:]).sum(axis=1) / n,
        }

    def recalibrated(self, said: Forecasts, truth: Truth, asked: Forecasts) -> Forecasts:
        """The frequencies of the classes that followed each class that was said."""
        table = np.ones((_K, _K))
        np.add.at(table, (said.point.astype(np.int64), truth), 1.0)
        return Forecasts(self, _HEAD.from_means(table)[asked.point.astype(np.int64)])

    def calibration(self, said: Forecasts, truth: Truth) -> dict[str, tuple[Floats, Floats]]:
        """For each class the chance that it was given, and whether it came."""
        came = np.eye(_K)[truth]
        return {name: (said.values[:, i], came[:, i]) for i, name in enumerate(CLASSES)}

    def rank(self, row: Mapping[str, Any]) -> float:
        """By how much up outweighs down."""
        return float(row["p_up"] - row["p_down"])

    def implausible(self, scores: Mapping[str, float]) -> str:
        """Nobody knows the way of a price that often."""
        right = scores["accuracy"]
        return f"right in {right:.1%} of rows, above {TOO_GOOD:.0%}" if right > TOO_GOOD else ""

    def signals(self, said: Forecasts, thresholds: Mapping[str, float]) -> list[str]:
        """BUY or SELL where one way outweighs the other by more than its threshold, else HOLD.

        ABSTAIN where the answer is less sure than a threshold of that name.
        """
        lean = said.values[:, UP] - said.values[:, DOWN]
        buy, sell = thresholds["buy"], thresholds["sell"]
        found = [BUY if x > buy else SELL if -x > sell else HOLD for x in lean.tolist()]
        unsure = _HEAD.confidence(said.values) < thresholds.get(ABSTAIN, 0.0)
        return [ABSTAIN if vague else one for one, vague in zip(found, unsure, strict=True)]


def _trend() -> Trend:
    return Trend()


def _newest(rows: Rows) -> Labels:
    known = rows.beside["persistence"]
    return np.where(np.isnan(known), UNKNOWN, known).astype(np.int64)


def _against(rows: Rows) -> Labels:
    before = rows.beside["return_before"]
    return np.where(before > 0, DOWN, np.where(before < 0, UP, UNKNOWN)).astype(np.int64)


def _at_best(in_train: Labels, in_test: Labels, train: Rows) -> Forecasts:
    # A rule names classes, or UNKNOWN. The best that can be said for it under any loss of
    # chances: how often each class followed in training where it said the same. A thin row
    # leans on the frequencies of all.
    chances = frequencies(train.truth, _HEAD)
    table = np.tile(_K * chances, (_K + 1, 1))
    np.add.at(table, (in_train, train.truth), 1.0)
    majority = int(chances.argmax())
    named = np.where(in_test == UNKNOWN, majority, in_test)
    return Forecasts(_trend(), _HEAD.from_means(table)[in_test], named.astype(np.float64))


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
