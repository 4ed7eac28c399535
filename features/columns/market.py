"""Features of an instrument among those decided at the same moment."""

from features import cross
from features.engine import Inputs
from features.feature import feature
from features.series import Values


@feature(lookback=1, inputs=("momentum_20",), unit="rank", cross_section=True)
def momentum_rank(x: Inputs) -> Values:
    """The share of the universe with a smaller return over 20 sessions."""
    return cross.rank(x.momentum_20)


@feature(lookback=1, inputs=("return_1",), unit="return", cross_section=True)
def relative_return(x: Inputs) -> Values:
    """The daily total return less the universe's mean."""
    return x.return_1 - cross.mean(x.return_1)
