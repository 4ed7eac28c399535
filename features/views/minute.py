"""Views of minute bars, each looked back on within its session."""

from features.labels.triple_barrier import TripleBarrier
from features.view import FeatureView, declare

_MINUTES = (
    "return_1",
    "momentum_5",
    "momentum_20",
    "steady_momentum_5",
    "standard_score_20",
    "stochastic_14",
    "simple_rsi_14",
    "efficiency_20",
    "volatility_5",
    "volatility_20",
    "range_position_60",
    "mean_60",
    "volume_ratio_20",
    "balance_20",
    "weighted_price_20",
    "relative_return",
    "breadth",
    "minute_of_hour",
    "hour_of_day",
    "session_position",
)

_OLD_MINUTES = TripleBarrier(horizon=15, width=1.0, window=30, version=1)

declare(
    FeatureView("minute_2", _MINUTES, _OLD_MINUTES, interval="1m", edition=1),
    FeatureView(
        "minute_3", _MINUTES, TripleBarrier(horizon=15, width=1.0, window=30), interval="1m"
    ),
)
