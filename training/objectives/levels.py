"""Which levels a price comes to: a support below it, a resistance above it, both or neither."""

from collections.abc import Mapping
from math import exp
from typing import Any, ClassVar

import numpy as np

from training.barriers import HEAD, Barriers, mended, mending
from training.forecast import LOWER, UPPER, Floats, frequencies
from training.objective import (
    CLOSE,
    Baseline,
    Forecasts,
    Loss,
    Objective,
    Rows,
    Truth,
    objective,
)

# What the law of touches is made of: distances, logarithms, and the volatility of a session.
FEATURES = ("support_distance_60", "resistance_distance_60", "realised_volatility_decayed")
TOO_GOOD = 0.05

_SIDES = {"support": LOWER, "resistance": UPPER}


def touch_losses(said: Forecasts, truth: Truth) -> Floats:
    """Brier (1950): the squared errors of both chances of a touch, summed, of each row (n,)."""
    came = np.stack([truth & side > 0 for side in _SIDES.values()], axis=1)
    return np.asarray(((HEAD.of_each(said.values) - came) ** 2).sum(axis=1))


def log_losses(said: Forecasts, truth: Truth) -> Floats:
    """Log loss of each row in nats, (n,), over neither, support, resistance and both."""
    picked = said.values[np.arange(len(truth)), truth]
    return np.asarray(-np.log(np.clip(picked, 1e-15, 1)), dtype=np.float64)


def class_prior(train: Rows, test: Rows) -> Forecasts:
    """The training frequencies."""
    return Forecasts(Levels(), np.tile(frequencies(train.truth, HEAD), (len(test), 1)))


def barrier(train: Rows, test: Rows) -> Forecasts:
    """The reflection principle on the decayed volatility, at its best on the training rows."""
    law = Barriers.fit(_values(train), train.truth)
    return Forecasts(Levels(), law.chances(_values(test)))


@objective("levels")
class Levels(Objective):
    """The chances that support, resistance, both or neither are touched before the horizon ends."""

    columns = ("p_neither", "p_support_alone", "p_resistance_alone", "p_both")
    head = HEAD
    kinds = ("levels_touched",)
    judged = (
        Loss("touch_brier", touch_losses, 0.001, unit="squared chances"),
        Loss("log_loss", log_losses, 0.002),
    )
    learned = "log_loss"
    metrics = ("touch_brier", "log_loss")
    baselines: ClassVar[Mapping[str, Baseline]] = {"barrier": barrier, "class_prior": class_prior}
    zero = "barrier"
    keeps = (CLOSE, *FEATURES[:2])
    tells: ClassVar[Mapping[str, str]] = {
        "support": "a price below the close of as_of, in its currency; null where none was known",
        "resistance": "a price above it, likewise",
        "p_support": "the chance that the support is touched before the horizon ends",
        "p_resistance": "the chance that the resistance is",
    }

    def derived(self, values: Floats) -> dict[str, Floats]:
        """The chances of both touches."""
        return dict(zip(("p_support", "p_resistance"), HEAD.of_each(values).T, strict=True))

    def answer(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Prices from the close and the distances that were kept with the chances."""
        kept = [row.get(name) for name in self.keeps]
        close, below, above = (None if value is None else float(value) for value in kept)
        prices: tuple[float | None, float | None] = (None, None)
        if close is not None and below is not None and above is not None:
            prices = (close * exp(-below), close * exp(above))
        return super().answer({**row, **dict(zip(_SIDES, prices, strict=True))})

    def leans(self, values: Floats) -> Floats:
        """To the level that is likelier to be touched alone; the nearer one is, whatever comes."""
        return np.asarray(values[:, 2] - values[:, 1])

    def recalibrated(self, said: Forecasts, truth: Truth, asked: Forecasts) -> Forecasts:
        """Its logarithms shifted and stretched so that the log loss of what came is smallest."""
        return Forecasts(self, mended(asked.values, *mending(said.values, truth)))

    def calibration(self, said: Forecasts, truth: Truth) -> dict[str, tuple[Floats, Floats]]:
        """For either level the chance of a touch, and whether it came."""
        chances = HEAD.of_each(said.values).T
        return {
            name: (chance, (truth & side > 0).astype(np.float64))
            for (name, side), chance in zip(_SIDES.items(), chances, strict=True)
        }

    def implausible(self, scores: Mapping[str, float]) -> str:
        """Who knows the law of a motion still does not know its way."""
        found = scores["touch_brier"]
        return f"a Brier score of touches of {found:.4f}" if found < TOO_GOOD else ""


def _values(rows: Rows) -> Floats:
    return np.column_stack([rows.column(name).astype(np.float64) for name in FEATURES])
