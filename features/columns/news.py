"""Features of the headlines about one instrument.

A headline counts in the first session whose close lies at or after the moment at which it was
known. The first row of a history has no close before it, so its headlines are null: a window of w
sessions needs w + 1 rows.
"""

import numpy as np

from features.feature import Inputs, feature
from features.panel import roll
from features.panel.series import Values
from features.panel.ties import difference

SPAN = 5
DECAYED = roll.warm_up(SPAN) + 1


@feature(lookback="w + 1", w=(1, 5, 20), inputs=("sentiment", "scored"), unit="score")
def news_sentiment(x: Inputs, w: int) -> Values:
    """The mean of p_positive - p_negative over the headlines of w sessions; null without any."""
    return roll.sum(x.sentiment, w) / roll.sum(x.scored, w)


@feature(lookback="w + 1", w=(1, 5, 20), inputs=("headlines",), unit="count")
def news_count(x: Inputs, w: int) -> Values:
    """How many headlines became known in w sessions."""
    return roll.sum(x.headlines, w)


@feature(lookback=DECAYED, inputs=("sentiment", "scored"), unit="score")
def news_sentiment_decayed(x: Inputs) -> Values:
    """The mean sentiment of headlines, each session back weighing a third less (span 5)."""
    return roll.ema(x.sentiment, SPAN) / roll.ema(x.scored, SPAN)


@feature(
    lookback="w + 1", w=(5, 20), inputs=("sentiment", "sentiment_squares", "scored"), unit="score"
)
def news_disagreement(x: Inputs, w: int) -> Values:
    """The standard deviation of sentiment among the headlines of w sessions; 0 for one."""
    scored = roll.sum(x.scored, w)
    mean = roll.sum(x.sentiment, w) / scored
    spread = difference(roll.sum(x.sentiment_squares, w) / scored, mean**2)
    return np.sqrt(np.maximum(spread, 0.0))


@feature(
    lookback="w + 1", w=(20,), inputs=("sentiment", "scored", "news_sentiment_1"), unit="score"
)
def news_surprise(x: Inputs, w: int) -> Values:
    """The session's sentiment less that of the w sessions before; null without either."""
    usual = roll.lag(roll.sum(x.sentiment, w) / roll.sum(x.scored, w), 1)
    return x.news_sentiment_1 - usual


@feature(lookback="w + 1", w=(5, 20), inputs=("headlines",), unit="ratio")
def news_coverage(x: Inputs, w: int) -> Values:
    """The share of w sessions in which there was a headline at all."""
    return roll.mean(np.sign(x.headlines), w)


@feature(lookback="w + 1", w=(20,), inputs=("headlines",), unit="ratio")
def news_attention(x: Inputs, w: int) -> Values:
    """The session's headlines over their mean of w sessions; null when there were none."""
    return x.headlines / roll.mean(x.headlines, w)


@feature(lookback=1, inputs=("news_sentiment_5", "news_sentiment_20"), unit="score")
def news_trend(x: Inputs) -> Values:
    """The sentiment of 5 sessions less that of 20."""
    return x.news_sentiment_5 - x.news_sentiment_20
