"""Views for the return on investment: the same features under labels of three horizons."""

from functools import partial

from features.labels.total_return import TotalReturn
from features.view import FeatureView, declare

_ROI = (
    "return_1",
    "momentum_5",
    "momentum_20",
    "momentum_60",
    "mean_60",
    "trend_60",
    "standard_score_60",
    "range_position_60",
    "drawdown_60",
    "volatility_20",
    "volatility_ratio",
    "downside_20",
    "autocorrelation_20",
    "volume_ratio_20",
    "balance_20",
    "illiquidity_60",
    "index_momentum_20",
    "beta_60",
    "index_relative_20",
    "momentum_rank",
    "breadth_above_mean",
    "day_of_week",
    "month_of_year",
    "news_sentiment_5",
    "news_sentiment_decayed",
    "news_coverage_20",
)

_OLD = partial(FeatureView, edition=1)

declare(
    _OLD("roi_2", _ROI, TotalReturn(horizon=1)),
    _OLD("roi_2_5", _ROI, TotalReturn(horizon=5)),
    _OLD("roi_2_20", _ROI, TotalReturn(horizon=20)),
    FeatureView("roi_3", _ROI, TotalReturn(horizon=1)),
    FeatureView("roi_3_5", _ROI, TotalReturn(horizon=5)),
    FeatureView("roi_3_20", _ROI, TotalReturn(horizon=20)),
)
