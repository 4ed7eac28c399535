"""What a session's bar and the night before it realised of volatility: what HAR models look at.

Corsi (2009), "A simple approximate long-memory model of realized volatility", takes means over a
day, a week and a month; a quarter tells an instrument's level of these months, a year its own.
"""

from math import sqrt

import numpy as np

from features.feature import Inputs, feature
from features.panel import cross, roll
from features.panel.series import Values

_KEPT, _SESSIONS = 0.94, 64
# A basis point: what hardly moves has no fall that is large beside its volatility.
_LEAST = 1e-4


@feature(lookback=1, inputs=("garman_klass_variance", "overnight"), unit="ratio")
def realised_variance(x: Inputs) -> Values:
    """The variance within one session (Garman and Klass, 1980) plus the night's squared return."""
    # Of a bar of one price rounding may leave less than nothing.
    within: Values = np.maximum(x.garman_klass_variance, 0.0)
    night: Values = np.log1p(x.overnight)
    return within + night**2


@feature(lookback="w", w=(1, 5, 22, 66, 252), inputs=("realised_variance",), unit="return")
def realised_volatility(x: Inputs, w: int) -> Values:
    """The root of the mean variance of w sessions with their nights."""
    return np.sqrt(roll.mean(x.realised_variance, w))


@feature(lookback=_SESSIONS, inputs=("realised_variance",), unit="return")
def realised_volatility_decayed(x: Inputs) -> Values:
    """The root of the mean variance of 64 sessions, each weighing 0.94 of the one after it.

    RiskMetrics (1996); sessions before would weigh 2 % together.
    """
    found: Values = x.realised_variance
    rows = 1
    while rows < _SESSIONS:  # twice as many at each step
        found, rows = found + _KEPT**rows * roll.lag(found, rows), 2 * rows
    return np.sqrt(found * ((1.0 - _KEPT) / (1.0 - _KEPT**_SESSIONS)))


@feature(lookback=1, inputs=("realised_volatility_1",), unit="return", cross_section=True)
def market_volatility_1(x: Inputs) -> Values:
    """The root of the universe's mean variance of the session."""
    return np.sqrt(cross.mean(x.realised_volatility_1**2))


@feature(lookback=1, inputs=("realised_volatility_5",), unit="return", cross_section=True)
def market_volatility_5(x: Inputs) -> Values:
    """The root of the universe's mean variance of 5 sessions."""
    return np.sqrt(cross.mean(x.realised_volatility_5**2))


@feature(lookback=1, inputs=("realised_volatility_22",), unit="return", cross_section=True)
def market_volatility_22(x: Inputs) -> Values:
    """The root of the universe's mean variance of 22 sessions."""
    return np.sqrt(cross.mean(x.realised_volatility_22**2))


@feature(lookback=1, inputs=("return_1", "realised_volatility_22"), unit="ratio")
def fall_1(x: Inputs) -> Values:
    """1, and by how many volatilities of a session the price fell: 1 where it rose.

    Corsi and Reno (2012): what falls moves more than what rises. It is above 0, for logarithms.
    """
    fallen = np.maximum(-np.log1p(x.return_1), 0.0)
    return 1.0 + fallen / np.maximum(x.realised_volatility_22, _LEAST)


@feature(lookback=1, inputs=("momentum_5", "realised_volatility_22"), unit="ratio")
def fall_5(x: Inputs) -> Values:
    """1, and by how many volatilities of 5 sessions the price fell over them: 1 where it rose."""
    fallen = np.maximum(-np.log1p(x.momentum_5), 0.0) / sqrt(5.0)
    return 1.0 + fallen / np.maximum(x.realised_volatility_22, _LEAST)


@feature(lookback=1, inputs=("return_1", "market_volatility_22"), unit="ratio", cross_section=True)
def market_fall_1(x: Inputs) -> Values:
    """1, and by how many volatilities of its members the universe's mean return fell."""
    moved = cross.mean(x.return_1)
    return 1.0 + np.maximum(-moved, 0.0) / np.maximum(x.market_volatility_22, _LEAST)


@feature(lookback="w", w=(252,), inputs=("return_1",), unit="return")
def historical_loss_95(x: Inputs, w: int) -> Values:
    """The loss that one in twenty of w daily returns exceeded, as a fraction."""
    return -roll.quantile(x.return_1, w, 0.05)


@feature(lookback="w", w=(252,), inputs=("return_1",), unit="return")
def historical_loss_99(x: Inputs, w: int) -> Values:
    """The loss that one in a hundred of w daily returns exceeded, as a fraction."""
    return -roll.quantile(x.return_1, w, 0.01)
