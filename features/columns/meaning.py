"""Features of what the headlines about one instrument mean, whatever their tone.

As with news, the first row of a history has no close before it: its headlines are null.
"""

import numpy as np

from features.columns.news import DECAYED, SPAN
from features.feature import Inputs, feature
from features.inputs.meaning import EMBEDDED, SUMS, WIDTH
from features.panel import roll
from features.panel.series import Values


@feature(lookback=DECAYED, w=tuple(range(WIDTH)), inputs=(*SUMS, EMBEDDED), unit="score")
def news_meaning(x: Inputs, w: int) -> Values:
    """Number w of the mean meaning of headlines, each session back weighing a third less (span 5);
    null without any."""
    return roll.ema(getattr(x, SUMS[w]), SPAN) / roll.ema(x.embedded, SPAN)


@feature(lookback="w + 2", w=(20,), inputs=(*SUMS, EMBEDDED), unit="score")
def news_novelty(x: Inputs, w: int) -> Values:
    """One less the cosine between what the session's headlines mean and those of the w sessions
    before; null without either."""
    told = np.stack([getattr(x, name) for name in SUMS])
    usual = np.stack([roll.lag(roll.sum(getattr(x, name), w), 1) for name in SUMS])
    along, now, before = (
        (a * b).sum(axis=0) for a, b in ((told, usual), (told,) * 2, (usual,) * 2)
    )
    return np.asarray(1.0 - along / np.sqrt(now * before), dtype=np.float64)
