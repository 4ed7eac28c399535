"""Features of the headlines about one instrument.

A headline counts in the first session whose close lies at or after the moment at which it was
known. The first row of a history has no close before it, so its headlines are null: a window of w
sessions needs w + 1 rows.
"""

from features import roll
from features.engine import Inputs
from features.feature import feature
from features.series import Values


@feature(lookback="w + 1", w=(1, 5), inputs=("sentiment", "scored"), unit="score")
def news_sentiment(x: Inputs, w: int) -> Values:
    """The mean of p_positive - p_negative over the headlines of w sessions; null without any."""
    return roll.sum(x.sentiment, w) / roll.sum(x.scored, w)


@feature(lookback="w + 1", w=(1, 5), inputs=("headlines",), unit="count")
def news_count(x: Inputs, w: int) -> Values:
    """How many headlines became known in w sessions."""
    return roll.sum(x.headlines, w)
