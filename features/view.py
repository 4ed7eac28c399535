"""Feature views: the lists that training and serving read in common. A view is never changed."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property, partial

from contracts.registry import UnknownMember
from features.feature import EDITION, Feature, FeatureError, find
from features.input import INPUTS, columns
from features.label import Label
from features.labels.total_return import TotalReturn
from features.labels.triple_barrier import TripleBarrier


@dataclass(frozen=True)
class FeatureView:
    """Features in order, and the label they are to predict. A change is a new view or version.

    interval: that of the bars, 1d or 1m; minutes are looked back on within their session.
    edition: the definitions of its features (features/feature.py).
    """

    name: str
    features: tuple[str, ...]
    label: Label
    version: int = 1
    interval: str = "1d"
    edition: int = EDITION

    @cached_property
    def members(self) -> tuple[Feature, ...]:
        """The features; raises UnknownMember, and FeatureError for one that is not scale-free.

        Later splits would change such a feature's past values.
        """
        found = tuple(find(name, self.edition) for name in self.features)
        for feature in found:
            if not feature.scale_free:
                raise FeatureError(f"{self.name}: {feature.name} is a {feature.unit}, no ratio")
        return found

    @cached_property
    def reach(self) -> int:
        """Rows up to a decision that its features and label look at."""
        return max(self.label.reach, *(feature.lookback for feature in self.members))

    @cached_property
    def reads_sentiment(self) -> bool:
        """Whether a feature is made of what a text model says."""
        scores = [one.reading.scores for one in map(INPUTS.get, self.inputs)]
        toned = {column for one in scores if one for column in one.columns}
        return any(toned & feature.columns for feature in self.members)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The panel inputs that its features read, sorted."""
        read = set().union(*(feature.columns for feature in self.members))
        return tuple(sorted({columns()[column].name for column in read}))

    @cached_property
    def hash(self) -> str:
        """16 hexadecimal digits over version, names, order, lookbacks, versions and label.

        And over interval and edition where they are not those of the first views.
        """
        features = [feature.identity for feature in self.members]
        content = [self.version, features, self.label.identity]
        if self.interval != "1d":
            content.append(self.interval)
        if self.edition > 1:
            content.append(self.edition)
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


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

# Views of before keep the definitions and the label's rule that they began with.
_OLD = partial(FeatureView, edition=1)
_OLD_SESSION = TripleBarrier(horizon=1, width=0.5, window=20, version=1)
_OLD_MINUTES = TripleBarrier(horizon=15, width=1.0, window=30, version=1)
_SESSION = TripleBarrier(horizon=1, width=0.5, window=20)
_MINUTE = TripleBarrier(horizon=15, width=1.0, window=30)

_VIEWS = (
    _OLD("daily_0", _DAILY_0, _OLD_SESSION),
    _OLD("daily_1", _DAILY_1, _OLD_SESSION),
    _OLD("market_2", _OLD_WITHOUT_TEXT, _OLD_SESSION),
    _OLD("daily_2", (*_OLD_WITHOUT_TEXT, *_TEXT, *_MACRO), _OLD_SESSION),
    _OLD("minute_2", _MINUTES, _OLD_MINUTES, interval="1m"),
    # Return on investment: what a view's label is one of; the features are the same.
    _OLD("roi_2", _ROI, TotalReturn(horizon=1)),
    _OLD("roi_2_5", _ROI, TotalReturn(horizon=5)),
    _OLD("roi_2_20", _ROI, TotalReturn(horizon=20)),
    FeatureView("market_3", _WITHOUT_TEXT, _SESSION),
    FeatureView("daily_3", (*_WITHOUT_TEXT, *_TEXT, *_MACRO), _SESSION),
    FeatureView("minute_3", _MINUTES, _MINUTE, interval="1m"),
    FeatureView("roi_3", _ROI, TotalReturn(horizon=1)),
    FeatureView("roi_3_5", _ROI, TotalReturn(horizon=5)),
    FeatureView("roi_3_20", _ROI, TotalReturn(horizon=20)),
)


def views() -> tuple[FeatureView, ...]:
    """All views."""
    return _VIEWS


def view(name: str) -> FeatureView:
    """The view of that name; raises UnknownMember naming those that exist."""
    for found in _VIEWS:
        if found.name == name:
            return found
    names = ", ".join(found.name for found in _VIEWS)
    raise UnknownMember(f"no feature view is named {name!r}; found: {names}")
