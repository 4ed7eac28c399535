"""What a session's bar and the night before it realised of volatility: what HAR models look at.

Corsi (2009), "A simple approximate long-memory model of realized volatility", takes means over a
day, a week and a month; a quarter tells an instrument's own level.
"""

import numpy as np

from features.feature import Inputs, feature
from features.panel import cross, roll
from features.panel.series import Values

_KEPT, _SESSIONS = 0.94, 64


@feature(lookback=1, inputs=("garman_klass_variance", "overnight"), unit="ratio")
def realised_variance(x: Inputs) -> Values:
    """The variance within one session (Garman and Klass, 1980) plus the night's squared return."""
    # Of a bar of one price rounding may leave less than nothing.
    within: Values = np.maximum(x.garman_klass_variance, 0.0)
    night: Values = np.log1p(x.overnight)
    return within + night**2


@feature(lookback="w", w=(1, 5, 22, 66), inputs=("realised_variance",), unit="return")
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
