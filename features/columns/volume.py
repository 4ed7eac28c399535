"""Features of one instrument's traded volume."""

from features import roll
from features.engine import Inputs
from features.feature import feature
from features.series import Values


@feature(lookback="w", w=(20,), inputs=("volume",), unit="ratio")
def volume_ratio(x: Inputs, w: int) -> Values:
    """The volume over its mean of w sessions; null when nothing was traded in them."""
    return x.volume / roll.mean(x.volume, w)
