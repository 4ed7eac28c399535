"""Views of daily bars: all that is known of an instrument, with and without texts."""

from functools import partial

from features.labels.triple_barrier import TripleBarrier
from features.view import FeatureView, declare

_PRICES = (
    "return_1",
    "momentum_5",
    "momentum_20",
    "momentum_60",
    "steady_momentum_5",
    "mean_5",
    "mean_20",
    "mean_60",
    "standard_score_20",
    "bollinger_position",
    "stochastic_14",
    "simple_rsi_14",
    "efficiency_20",
    "autocorrelation_20",
    "volatility_5",
    "volatility_20",
    "volatility_ratio",
    "garman_klass_20",
    "overnight_share_20",
    "drawdown_60",
    "candle_body_share",
    "upper_shadow_share",
    "lower_shadow_share",
    "range_position_20",
    "swing_high_60",
    "swing_low_60",
    "volume_node_60",
    "mean_cross",
    "breakout_20",
)
_VOLUMES = (
    "volume_ratio_20",
    "volume_score_20",
    "balance_20",
    "money_flow_14",
    "volume_correlation_20",
    "illiquidity_60",
)
_MARKET = (
    "index_momentum_5",
    "index_momentum_20",
    "index_volatility_20",
    "beta_60",
    "residual_return",
    "relative_return",
    "momentum_rank",
    "reversal_rank",
    "volatility_rank",
    "breadth",
    "dispersion",
)
_CALENDAR = ("day_of_week", "days_rested", "announced_rest_ahead")
_OLD_CALENDAR = ("day_of_week", "days_rested", "days_of_rest_ahead")
_TEXT = (
    "news_sentiment_1",
    "news_sentiment_5",
    "news_sentiment_decayed",
    "news_disagreement_5",
    "news_surprise_20",
    "news_count_1",
    "news_coverage_20",
    "news_attention_20",
    "relative_sentiment",
    "mood",
)
_MACRO = ("inflation_level", "inflation_change_60", "payrolls_change_60", "output_level")
_REALISED = (
    "realised_volatility_1",
    "realised_volatility_5",
    "realised_volatility_22",
    "realised_volatility_66",
    "realised_volatility_decayed",
    "market_volatility_1",
    "market_volatility_5",
)
_LEVELS = tuple(
    f"{side}_{what}"
    for side in ("support", "resistance")
    for what in ("distance_60", "away_60", "touches_60", "age_60", "kind_60", "chance")
)

_LONG = (
    "realised_volatility_252",
    "fall_1",
    "fall_5",
    "market_fall_1",
    "historical_loss_95_252",
    "historical_loss_99_252",
)

_MEANING = (*(f"news_meaning_{place}" for place in range(32)), "news_novelty_20")

_DAILY_0 = (
    "return_1",
    "momentum_5",
    "momentum_20",
    "mean_20",
    "volatility_20",
    "range_10",
    "volume_ratio_20",
    "news_sentiment_1",
    "news_count_5",
    "momentum_rank",
)
_DAILY_1 = (
    "return_1",
    "momentum_5",
    "momentum_20",
    "steady_momentum_5",
    "mean_20",
    "volatility_20",
    "range_10",
    "candle_body_share",
    "volume_ratio_20",
    "day_of_week",
    "days_rested",
    "news_sentiment_1",
    "news_sentiment_5",
    "news_count_1",
    "momentum_rank",
    "relative_return",
)
_WITHOUT_TEXT = (*_PRICES, *_VOLUMES, *_MARKET, *_CALENDAR)
_OLD_WITHOUT_TEXT = (*_PRICES, *_VOLUMES, *_MARKET, *_OLD_CALENDAR)

# Views of before keep the definitions, the label and its rule that they began with.
_OLD = partial(FeatureView, edition=1)
_OLD_SESSION = TripleBarrier(horizon=1, width=0.5, window=20, version=1)
_SESSION = TripleBarrier(horizon=1, width=0.5, window=20)

declare(
    _OLD("daily_0", _DAILY_0, _OLD_SESSION),
    _OLD("daily_1", _DAILY_1, _OLD_SESSION),
    _OLD("market_2", _OLD_WITHOUT_TEXT, _OLD_SESSION),
    _OLD("daily_2", (*_OLD_WITHOUT_TEXT, *_TEXT, *_MACRO), _OLD_SESSION),
    FeatureView("market_3", _WITHOUT_TEXT, _SESSION),
    FeatureView("daily_3", (*_WITHOUT_TEXT, *_TEXT, *_MACRO), _SESSION),
    FeatureView("daily_4", (*_WITHOUT_TEXT, *_TEXT, *_MACRO, *_REALISED)),
    FeatureView("daily_5", (*_WITHOUT_TEXT, *_TEXT, *_MACRO, *_REALISED, *_LONG)),
    FeatureView("textless_5", (*_WITHOUT_TEXT, *_MACRO, *_REALISED, *_LONG)),
    FeatureView("daily_7", (*_WITHOUT_TEXT, *_TEXT, *_MACRO, *_REALISED, *_LONG, *_MEANING)),
    FeatureView("daily_6", (*_WITHOUT_TEXT, *_REALISED, *_LEVELS)),
)
