"""How much a price moves per session: one volatility, the root of a mean variance."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from training.forecast import Floats, Value
from training.objective import Baseline, Forecasts, Loss, Objective, Rows, Truth, objective

# A basis point per session. A truth below, of bars of one price, counts as that: its logarithm
# exists. So does a forecast, so that whoever says next to nothing loses much, but a number.
FLOOR = 1e-4
TOO_GOOD = 0.02

_ENOUGH = 60  # rows of an instrument that its own regression takes
_HAR = tuple(f"realised_volatility_{sessions}" for sessions in (1, 5, 22))

_HEAD = Value("log", 2)


def apart(said: Forecasts, truth: Truth) -> Floats:
    """The logarithm of truth over forecast, both volatilities of FLOOR at least, (n,)."""
    found = np.log(np.maximum(truth, FLOOR)) - np.log(np.maximum(said.values[:, 0], FLOOR))
    return np.asarray(found, dtype=np.float64)


def qlike_losses(said: Forecasts, truth: Truth) -> Floats:
    """QLIKE of each row, (n,): s2 / f2 - ln(s2 / f2) - 1 of the variances s2 that came, f2 said.

    Patton (2011), "Volatility forecast comparison using imperfect volatility proxies": of the
    losses that rank forecasts alike whatever noise a proxy has, the one without a unit.
    """
    variances = 2.0 * apart(said, truth)
    return np.asarray(np.expm1(variances) - variances)


def log_errors(said: Forecasts, truth: Truth) -> Floats:
    """The squared error of the logarithm of volatility of each row, (n,)."""
    return np.asarray(apart(said, truth) ** 2)


def mean_22(train: Rows, test: Rows) -> Forecasts:
    """The root of the mean variance of the newest 22 sessions."""
    return _at_best("realised_volatility_22", train, test)


def ewma(train: Rows, test: Rows) -> Forecasts:
    """The root of the exponentially weighted mean variance of decay 0.94 (RiskMetrics, 1996)."""
    return _at_best("realised_volatility_decayed", train, test)


def har_per_stock(train: Rows, test: Rows) -> Forecasts:
    """Least squares of its logarithm on those of a day, a week and a month, of each instrument.

    Corsi (2009) in logarithms. Where an instrument has too few rows, those of all; what it says is
    kept within what came in training (Bollerslev, Patton and Quaedvlieg, 2016).
    """
    x, asked = _levels(train), _levels(test)
    known = np.isfinite(x)
    usual = np.where(known, x, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    x, asked = (np.where(np.isfinite(rows), rows, usual) for rows in (x, asked))
    came = np.log(np.maximum(train.truth, FLOOR))
    names, place = np.unique(train.instruments, return_inverse=True)
    weights = np.tile(np.linalg.lstsq(x, came, rcond=None)[0], (len(names) + 1, 1))
    order = np.argsort(place, kind="stable")
    for own in np.split(order, np.searchsorted(place[order], np.arange(1, len(names)))):
        if len(own) >= _ENOUGH:
            weights[place[own[0]]] = np.linalg.lstsq(x[own], came[own], rcond=None)[0]
    found = np.minimum(np.searchsorted(names, test.instruments), len(names) - 1)
    found = np.where(names[found] == test.instruments, found, len(names))
    said = (np.einsum("ij,ij->i", r, weights[p]) for r, p in ((x, place), (asked, found)))
    inside, outside = (np.exp(np.clip(logs, came.min(), came.max())) for logs in said)
    return Forecasts(Volatility(), factor(inside, train.truth) * outside[:, None])


def factor(said: Floats, truth: Truth) -> float:
    """By what volatilities (n,) are to be multiplied so that their QLIKE is smallest.

    It makes the mean of variances that came over those that were said 1.
    """
    ratios = (np.maximum(truth, FLOOR) / np.maximum(said, FLOOR)) ** 2
    return float(np.sqrt(ratios.mean()))


@objective("volatility")
class Volatility(Objective):
    """One number, above 0: the root of the mean variance per session, as a fraction."""

    columns = ("volatility",)
    head = _HEAD
    kinds = ("realised_volatility",)
    # The log error is told best by the median, not by the mean that is asked for.
    judged = (
        Loss("qlike", qlike_losses, 0.01, unit="QLIKE"),
        Loss("log_error", log_errors, 0.01, unit="squared logs", proper=False),
    )
    learned = "qlike"
    metrics = ("qlike", "log_error")
    baselines: ClassVar[Mapping[str, Baseline]] = {
        "mean_22": mean_22,
        "ewma": ewma,
        "har_per_stock": har_per_stock,
    }
    zero = "mean_22"
    tells: ClassVar[Mapping[str, str]] = {"value": "standard deviation of a session's return"}

    def answer(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The number, under the name that every answer of one number has."""
        return {"value": row["volatility"]}

    def recalibrated(self, said: Forecasts, truth: Truth, asked: Forecasts) -> Forecasts:
        """Multiplied so that variances are right on average, as a share of what was said."""
        return Forecasts(self, asked.values * factor(said.values[:, 0], truth))

    def calibration(self, said: Forecasts, truth: Truth) -> dict[str, tuple[Floats, Floats]]:
        """The variance that was said, and the one that came."""
        return {"variance": (said.values[:, 0] ** 2, np.asarray(truth, dtype=np.float64) ** 2)}

    def implausible(self, scores: Mapping[str, float]) -> str:
        """No range tells a variance that well, even if the true one were known."""
        found = scores["qlike"]
        return f"a QLIKE of {found:.4f}, below {TOO_GOOD}" if found < TOO_GOOD else ""


def _at_best(feature: str, train: Rows, test: Rows) -> Forecasts:
    # Where the feature is null, by the root mean square of training's truths.
    usual = float(np.sqrt(np.mean(np.maximum(train.truth, FLOOR) ** 2)))

    def told(rows: Rows) -> Floats:
        values = rows.column(feature).astype(np.float64)
        return np.maximum(np.where(np.isfinite(values), values, usual), FLOOR)

    best = factor(told(train), train.truth)
    return Forecasts(Volatility(), best * told(test)[:, None])


def _levels(rows: Rows) -> Floats:
    logs = [np.log(np.maximum(rows.column(name), FLOOR)) for name in _HAR]
    return np.column_stack([np.ones(len(rows)), *logs]).astype(np.float64)
