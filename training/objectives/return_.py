"""What a position gains: quantiles of the return, hence its expectation and intervals."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from training.forecast import Floats, Quantiles, positive, typical
from training.objective import Baseline, Forecasts, Loss, Objective, Rows, Truth, objective

LEVELS = (0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95)
# What the spread of a return is measured by: the exponentially weighted volatility (RiskMetrics).
SCALE = "realised_volatility_decayed"
TOO_GOOD = 0.2

_HEAD = Quantiles(LEVELS)
_INTERVALS = {"80": (0.1, 0.9), "90": (0.05, 0.95)}
_PERCENT = 100.0


def named(level: float) -> str:
    """What the quantile of that level is called."""
    return f"q_{round(100 * level):02d}"


def _shares() -> Floats:
    # What each quantile stands for: the levels half-way to its neighbours, the ends all beyond.
    levels = np.array(LEVELS)
    halves = (levels[1:] + levels[:-1]) / 2
    return np.diff(np.concatenate([[0.0], halves, [1.0]]))


def expected(values: Floats) -> Floats:
    """The mean that quantiles (n, levels) tell, (n,): their mean, each for the levels nearest."""
    return np.asarray(values @ _shares())


def pinball(values: Floats, truth: Truth, levels: Sequence[float]) -> Floats:
    """The mean over levels of the quantile loss (Koenker and Bassett, 1978) of each row, (n,).

    max(t (y - q), (t - 1) (y - q)) of the truth y and the quantile q of level t.
    """
    shares = np.array(levels)
    apart = np.asarray(truth, dtype=np.float64)[:, None] - values
    return np.asarray(np.maximum(shares * apart, (shares - 1.0) * apart).mean(axis=1))


def pinball_losses(said: Forecasts, truth: Truth) -> Floats:
    """The pinball loss of each row, percent, (n,)."""
    return _PERCENT * pinball(said.values, truth, LEVELS)


def absolute_errors(said: Forecasts, truth: Truth) -> Floats:
    """How far the truth lies from the median, percent, (n,)."""
    return np.asarray(_PERCENT * np.abs(truth - said.values[:, LEVELS.index(0.5)]))


def nothing(train: Rows, test: Rows) -> Forecasts:
    """Nothing is gained, give or take as much as training's returns were away from nothing."""
    return _round(0.0, train, test)


def mean(train: Rows, test: Rows) -> Forecasts:
    """The mean of training, give or take as much as its returns were away from it."""
    return _round(float(np.mean(train.truth)), train, test)


def unconditional(train: Rows, test: Rows) -> Forecasts:
    """The quantiles of training."""
    return _at_best(0.0, _quantiles, train, test)


@objective("return")
class Return(Objective):
    """Nine quantiles of a return, a fraction; no signal follows from them alone."""

    columns = tuple(map(named, LEVELS))
    head = _HEAD
    kinds = ("total_return",)
    judged = (
        Loss("pinball", pinball_losses, 0.001, unit="percent"),
        Loss("mae", absolute_errors, 0.01, unit="percent"),
    )
    learned = "pinball"
    metrics = ("pinball", "mae", "rmse", "r2", "coverage_80", "coverage_90")
    coarse = ("coverage_80", "coverage_90")
    baselines: ClassVar[Mapping[str, Baseline]] = {
        "unconditional": unconditional,
        "zero": nothing,
        "mean": mean,
    }
    zero = "unconditional"
    told_as = "returns"
    tells: ClassVar[Mapping[str, str]] = {
        "expected_return": "what a position is expected to gain over the horizon, a fraction",
        "interval_80": "the return lies between these two in four of five cases",
        "interval_90": "the return lies between these two in nine of ten cases",
        "quantiles": "by level: the return is below it with that probability",
    }
    typed: ClassVar[Mapping[str, Any]] = {
        **dict.fromkeys(("interval_80", "interval_90"), list[float]),
        "quantiles": dict[str, float],
    }

    def statistics(self, said: Forecasts, truth: Truth) -> Floats:
        """Losses, squared error of the expectation, truths and their squares, coverages, rows."""
        truth = np.asarray(truth, dtype=np.float64)
        losses = self.losses(said, truth)
        inside = [_inside(said.values, truth, *ends) for ends in _INTERVALS.values()]
        squared = (truth - expected(said.values)) ** 2
        one = np.ones(len(truth))
        return np.stack([*losses.values(), squared, truth, truth**2, *inside, one])

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """R2 is beside the mean of the rows' own truths: who says zero has about 0."""
        n = np.maximum(sums[:, -1], 1.0)
        pinball, mae, squared, first, second, *inside = (column / n for column in sums.T[:-1])
        spread = second - first**2
        known = np.where(spread > 0, spread, 1.0)
        return {
            "pinball": pinball,
            "mae": mae,
            "rmse": _PERCENT * np.sqrt(squared),
            "r2": np.where(spread > 0, 1.0 - squared / known, 0.0),
            **{f"coverage_{name}": x for name, x in zip(_INTERVALS, inside, strict=True)},
        }

    def recalibrated(self, said: Forecasts, truth: Truth, asked: Forecasts) -> Forecasts:
        """Wider or narrower about the median, so that four of five truths lie as near as said."""
        middle, half = _middle(said.values), _half(said.values)
        ratios = np.abs(truth - middle[:, 0]) / np.maximum(half, np.finfo(float).tiny)
        factor = min(float(np.quantile(ratios, 0.8)), 1e6)
        kept = _middle(asked.values)
        return Forecasts(self, kept + factor * (asked.values - kept))

    def calibration(self, said: Forecasts, truth: Truth) -> dict[str, tuple[Floats, Floats]]:
        """The return, and how far it lies from the median."""
        middle = _middle(said.values)
        apart = expected(np.abs(said.values - middle))
        return {
            "return": (expected(said.values), np.asarray(truth, dtype=np.float64)),
            "distance from the median": (apart, np.abs(truth - middle[:, 0])),
        }

    def implausible(self, scores: Mapping[str, float]) -> str:
        """Nobody knows that much of what a price will do."""
        found = scores["r2"]
        return f"an R2 of {found:.2f} on raw returns, above {TOO_GOOD}" if found > TOO_GOOD else ""

    def derived(self, values: Floats) -> dict[str, Floats]:
        """The expected return, (n,)."""
        return {"expected_return": expected(values)}

    def rank(self, row: Mapping[str, Any]) -> float:
        """By the expected return."""
        return float(row["expected_return"])

    def answer(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The quantiles by level, and what follows from them."""
        told = {level: float(row[named(level)]) for level in LEVELS}
        ends = {f"interval_{n}": [told[low], told[high]] for n, (low, high) in _INTERVALS.items()}
        quantiles = {f"{level:g}": value for level, value in told.items()}
        gain = float(expected(np.array([list(told.values())]))[0])
        return {"expected_return": gain, **ends, "quantiles": quantiles}


def _inside(values: Floats, truth: Truth, low: float, high: float) -> Floats:
    below, above = values[:, LEVELS.index(low)], values[:, LEVELS.index(high)]
    return np.asarray((truth >= below) & (truth <= above), dtype=np.float64)


def _middle(values: Floats) -> Floats:
    return values[:, [LEVELS.index(0.5)]]


def _half(values: Floats) -> Floats:
    low, high = _INTERVALS["80"]
    return np.asarray(values[:, LEVELS.index(high)] - values[:, LEVELS.index(low)]) / 2


def _quantiles(z: Floats) -> Floats:
    return np.asarray(np.quantile(z, LEVELS))


def _symmetric(z: Floats) -> Floats:
    away = 2 * np.array(LEVELS) - 1
    return np.asarray(np.sign(away) * np.quantile(np.abs(z), np.abs(away)))


def _round(centre: float, train: Rows, test: Rows) -> Forecasts:
    return _at_best(centre, _symmetric, train, test)


def _at_best(centre: float, of: Callable[[Floats], Floats], train: Rows, test: Rows) -> Forecasts:
    # Alike for all rows, or in units of each row's volatility: whichever suits training better.
    away = np.asarray(train.truth, dtype=np.float64) - centre
    own, asked = (_scales(rows, train) for rows in (train, test))
    plain, scaled = of(away)[None], of(away / own)[None]
    if _mean(own[:, None] * scaled, away) < _mean(plain, away):
        return Forecasts(Return(), centre + asked[:, None] * scaled)
    return Forecasts(Return(), np.repeat(centre + plain, len(test), axis=0))


def _mean(values: Floats, truth: Truth) -> float:
    return float(pinball(values, truth, LEVELS).mean())


def _scales(rows: Rows, train: Rows) -> Floats:
    return positive(rows.column(SCALE), typical(train.column(SCALE)))
