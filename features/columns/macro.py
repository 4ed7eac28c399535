"""Macro values as they were known at the close, each vintage from its release on.

Null where the store has no observations of the series.
"""

from features.feature import Inputs, feature
from features.panel import roll
from features.panel.series import Values


@feature(lookback=1, inputs=("inflation",), unit="level")
def inflation_level(x: Inputs) -> Values:
    """The newest rate of inflation, in per cent."""
    return x.inflation


@feature(lookback="w + 1", w=(60,), inputs=("inflation",), unit="level")
def inflation_change(x: Inputs, w: int) -> Values:
    """The newest rate of inflation less the one known w sessions before."""
    return roll.diff(x.inflation, w)


@feature(lookback="w + 1", w=(60,), inputs=("payrolls",), unit="level")
def payrolls_change(x: Inputs, w: int) -> Values:
    """The newest growth of payrolls, in thousands, less the one known w sessions before."""
    return roll.diff(x.payrolls, w)


@feature(lookback=1, inputs=("output",), unit="level")
def output_level(x: Inputs) -> Values:
    """The newest growth of output, in per cent."""
    return x.output
