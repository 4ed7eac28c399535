"""How much may be lost: value at risk and expected shortfall of a position, as fractions of it."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from training.forecast import Floats, Tails
from training.objective import Baseline, Forecasts, Loss, Objective, Rows, Truth, objective

HEAD = Tails((0.95, 0.99))
TOO_GOOD = 0.2
HISTORY = ("historical_loss_95_252", "historical_loss_99_252")

# Of a normal law of deviation 1, per level: value at risk, then expected shortfall.
_NORMAL = np.array([1.6448536, 2.3263479, 2.0627128, 2.6652142])
_HALVINGS = 60


def losses_of(truth: Truth) -> Floats:
    """What was lost, (n,), of returns: HEAD.floor at least, as what gained counts."""
    return np.maximum(-np.asarray(truth, dtype=np.float64), HEAD.floor)


def tails(values: Floats, truth: Truth) -> Floats:
    """v + (x - v)+ / (1 - level) of losses x and values at risk v, (n, levels).

    Rockafellar and Uryasev (2000): its mean is smallest for the true v, and then it is the
    expected shortfall.
    """
    at_risk, _ = HEAD.parts(values)
    beyond = np.maximum(losses_of(truth)[:, None] - at_risk, 0.0)
    return np.asarray(at_risk + beyond / HEAD.chances)


def fz0_losses(said: Forecasts, truth: Truth) -> Floats:
    """FZ0 of each row, the mean over levels, (n,): t / e + ln e - 1 of `tails` t and shortfall e.

    Patton, Ziegel and Chen (2019), "Dynamic semiparametric models for expected shortfall (and
    value-at-risk)". Its differences do not change with the unit of losses.
    """
    _, mean = HEAD.parts(said.values)
    found = tails(said.values, truth) / mean + np.log(mean) - 1.0
    return np.asarray(found.mean(axis=1))


def exceeded(values: Floats, truth: Truth) -> Floats:
    """Whether more was lost than the value at risk of each level, 1 or 0, (n, levels)."""
    return np.asarray(losses_of(truth)[:, None] > HEAD.parts(values)[0], dtype=np.float64)


def factor(values: Floats, truth: Truth) -> float:
    """By what all numbers of answers are to be multiplied so that their FZ0 is smallest.

    In its inverse the loss is convex; where its slope is 0 is found by halving.
    """
    at_risk, mean = HEAD.parts(values)
    lost = losses_of(truth)[:, None]
    low, high = -20.0, 20.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        scaled = np.exp(middle) * lost
        slope = float(np.mean(np.where(scaled > at_risk, scaled, 0.0) / (mean * HEAD.chances)))
        low, high = (middle, high) if slope < 1.0 else (low, middle)
    return float(np.exp(-(low + high) / 2.0))


def right(values: Floats, truth: Truth) -> Floats:
    """By what each number is to be multiplied, (width,): as often and as much as in these rows.

    So that losses exceed each value at risk with its chance, and shortfalls are right on average.
    """
    at_risk, mean = HEAD.parts(values)
    lost = losses_of(truth)[:, None]
    ranked = zip((lost / at_risk).T, HEAD.levels, strict=True)
    often = [np.quantile(ratio, level) for ratio, level in ranked]
    scaled = np.concatenate([at_risk * often, mean], axis=1)
    return np.concatenate([often, (tails(scaled, truth) / mean).mean(axis=0)])


def historical_simulation(train: Rows, test: Rows) -> Forecasts:
    """What an instrument's year exceeded with each chance; shortfalls in proportion to that."""

    def told(rows: Rows) -> Floats:
        losses = np.column_stack([rows.column(name) for name in HISTORY]).astype(np.float64)
        usual = np.quantile(losses_of(train.truth), HEAD.levels)
        at_risk = np.maximum(np.where(np.isfinite(losses), losses, usual), HEAD.floor)
        return HEAD.from_means(np.concatenate([at_risk, at_risk], axis=1))

    before = told(train)
    return Forecasts(Risk(), HEAD.from_means(told(test) * right(before, train.truth)))


def ewma_normal(train: Rows, test: Rows) -> Forecasts:
    """A normal law of the exponentially weighted volatility (RiskMetrics, 1996)."""
    known = train.column("realised_volatility_decayed")
    known = known[np.isfinite(known)]
    usual = float(known.mean()) if len(known) else float(np.std(train.truth))

    def told(rows: Rows) -> Floats:
        volatility = rows.column("realised_volatility_decayed").astype(np.float64)
        found = np.where(np.isfinite(volatility), volatility, usual)
        return HEAD.from_means(np.maximum(found, HEAD.floor)[:, None] * _NORMAL)

    best = factor(told(train), train.truth)
    return Forecasts(Risk(), HEAD.from_means(best * told(test)))


@objective("risk")
class Risk(Objective):
    """Losses above 0, fractions of the position: exceeded with a chance of 5 and 1 %, then means.

    A position that gains has lost nothing; what an answer may be at least is a basis point.
    """

    columns = ("var_95", "var_99", "es_95", "es_99")
    head = HEAD
    kinds = ("total_return",)
    judged = (Loss("fz0", fz0_losses, 0.005, unit="FZ0"),)
    learned = "fz0"
    metrics = ("fz0", "exceeded_95", "exceeded_99", "lean")
    coarse = ("exceeded_95", "exceeded_99")
    baselines: ClassVar[Mapping[str, Baseline]] = {
        "historical_simulation": historical_simulation,
        "ewma_normal": ewma_normal,
    }
    zero = "historical_simulation"
    tells: ClassVar[Mapping[str, str]] = {
        "var_95": "the loss that is exceeded with a chance of 5 %, as a fraction of the position",
        "var_99": "the loss that is exceeded with a chance of 1 %, as a fraction of the position",
        "es_95": "the mean of the losses beyond var_95, as a fraction of the position",
        "es_99": "the mean of the losses beyond var_99, as a fraction of the position",
    }

    def statistics(self, said: Forecasts, truth: Truth) -> Floats:
        """FZ0, what was exceeded, and the logarithm of es_95 before falls and before rises."""
        fell = (np.asarray(truth) < 0).astype(np.float64)
        mean = np.log(HEAD.parts(said.values)[1][:, 0])
        own = [fz0_losses(said, truth), *exceeded(said.values, truth).T]
        return np.stack([*own, np.ones(len(said)), fell, fell * mean, (1 - fell) * mean])

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """FZ0, the shares of rows beyond each value at risk, and how much more is said of falls."""
        fz0, beyond_95, beyond_99, n, fell, before, otherwise = sums.T
        some = np.maximum(n, 1.0)
        lean = before / np.maximum(fell, 1.0) - otherwise / np.maximum(n - fell, 1.0)
        return {
            "fz0": fz0 / some,
            "exceeded_95": beyond_95 / some,
            "exceeded_99": beyond_99 / some,
            "lean": np.where((fell > 0) & (fell < n), lean, 0.0),
        }

    def recalibrated(self, said: Forecasts, truth: Truth, asked: Forecasts) -> Forecasts:
        """Multiplied by the one factor that makes FZ0 smallest."""
        return Forecasts(self, HEAD.from_means(asked.values * factor(said.values, truth)))

    def calibration(self, said: Forecasts, truth: Truth) -> dict[str, tuple[Floats, Floats]]:
        """Each expected shortfall, and what has it as its mean where the value at risk is true."""
        means, came = HEAD.parts(said.values)[1].T, tails(said.values, truth).T
        return {"es_95": (means[0], came[0]), "es_99": (means[1], came[1])}

    def implausible(self, scores: Mapping[str, float]) -> str:
        """Who knows how far a price moves does not know which way."""
        lean = scores["lean"]
        doubt = f"es_95 {np.expm1(lean):.0%} larger before falls than before rises"
        return f"{doubt}, above {np.expm1(TOO_GOOD):.0%}" if lean > TOO_GOOD else ""

    def rank(self, row: Mapping[str, Any]) -> float:
        """The least to be lost first."""
        return -float(row["var_95"])
