"""Features of an instrument within its market: its index, and those decided at the same moment."""

import numpy as np

from features.feature import Inputs, feature
from features.panel import cross, roll
from features.panel.series import Values
from features.panel.ties import difference


@feature(lookback="w + 1", w=(5, 20, 60), inputs=("index_return",), unit="return")
def index_momentum(x: Inputs, w: int) -> Values:
    """The return of the universe's index over w sessions."""
    return np.expm1(roll.sum(np.log1p(x.index_return), w))


@feature(lookback="w + 1", w=(20,), inputs=("index_return",), unit="return")
def index_volatility(x: Inputs, w: int) -> Values:
    """The standard deviation of w returns of the universe's index."""
    return roll.std(x.index_return, w, 1.0)


@feature(lookback="w", w=(60,), inputs=("index_return", "return_1"), unit="score")
def index_correlation(x: Inputs, w: int) -> Values:
    """The correlation of w daily returns with those of the universe's index."""
    return roll.corr(x.return_1, x.index_return, w, (1.0, 1.0))


@feature(lookback="w", w=(60,), inputs=("index_return", "return_1"), unit="ratio", version=2)
def beta(x: Inputs, w: int) -> Values:
    """How much the instrument moves with its index: the slope of w returns on the index's.

    0 for a price that never moved; null for an index that never did.
    """
    return roll.slope_on(x.return_1, x.index_return, w, 1.0)


@feature(lookback=1, inputs=("return_1", "beta_60", "index_return"), unit="return")
def residual_return(x: Inputs) -> Values:
    """The daily return less what its beta makes of the index's."""
    return x.return_1 - x.beta_60 * x.index_return


@feature(lookback=1, inputs=("momentum_20", "index_momentum_20"), unit="return")
def index_relative_20(x: Inputs) -> Values:
    """The return over 20 sessions less that of the index."""
    return x.momentum_20 - x.index_momentum_20


@feature(lookback=1, inputs=("momentum_20",), unit="rank", cross_section=True)
def momentum_rank(x: Inputs) -> Values:
    """The share of the universe with a smaller return over 20 sessions, equals counting half."""
    return cross.rank(x.momentum_20)


@feature(lookback=1, inputs=("return_1",), unit="return", cross_section=True)
def relative_return(x: Inputs) -> Values:
    """The daily total return less the universe's mean."""
    return x.return_1 - cross.mean(x.return_1)


@feature(lookback=1, inputs=("momentum_5",), unit="rank", cross_section=True)
def reversal_rank(x: Inputs) -> Values:
    """The share of the universe with a smaller return over 5 sessions, equals counting half."""
    return cross.rank(x.momentum_5)


@feature(lookback=1, inputs=("volatility_20",), unit="rank", cross_section=True)
def volatility_rank(x: Inputs) -> Values:
    """The share of the universe with a smaller volatility, equals counting half."""
    return cross.rank(x.volatility_20)


@feature(lookback=1, inputs=("volume_ratio_20",), unit="rank", cross_section=True)
def volume_rank(x: Inputs) -> Values:
    """The share of the universe whose volume is less above its usual one, equals counting half."""
    return cross.rank(x.volume_ratio_20)


@feature(lookback=1, inputs=("momentum_20", "sector"), unit="return", cross_section=True)
def sector_momentum_20(x: Inputs) -> Values:
    """The mean return over 20 sessions of the universe's members in the same sector."""
    return cross.mean(x.momentum_20, within=x.sector)


@feature(lookback=1, inputs=("return_1", "sector"), unit="return", cross_section=True)
def sector_relative_return(x: Inputs) -> Values:
    """The daily total return less the mean of the same sector."""
    return x.return_1 - cross.mean(x.return_1, within=x.sector)


@feature(lookback=1, inputs=("rose", "sector"), unit="ratio", cross_section=True)
def sector_breadth(x: Inputs) -> Values:
    """The share of the same sector whose close rose."""
    return cross.mean(x.rose, within=x.sector)


@feature(lookback=1, inputs=("rose",), unit="ratio", cross_section=True)
def breadth(x: Inputs) -> Values:
    """The share of the universe whose close rose."""
    return cross.mean(x.rose)


@feature(lookback=1, inputs=("mean_20",), unit="ratio", cross_section=True)
def breadth_above_mean(x: Inputs) -> Values:
    """The share of the universe that closed above its mean of 20 sessions."""
    return cross.mean(np.heaviside(difference(1.0, x.mean_20), 0.0))


@feature(lookback=1, inputs=("return_1",), unit="return", cross_section=True)
def dispersion(x: Inputs) -> Values:
    """The standard deviation of the universe's daily returns, as of a whole population."""
    return np.sqrt(cross.mean((x.return_1 - cross.mean(x.return_1)) ** 2))


@feature(lookback=1, inputs=("news_sentiment_5",), unit="score", cross_section=True)
def relative_sentiment(x: Inputs) -> Values:
    """The sentiment of 5 sessions less the universe's mean."""
    return x.news_sentiment_5 - cross.mean(x.news_sentiment_5)


@feature(lookback=1, inputs=("news_sentiment_1",), unit="score", cross_section=True)
def mood(x: Inputs) -> Values:
    """The mean sentiment of the session over the universe, each instrument counting once."""
    return cross.mean(x.news_sentiment_1)
