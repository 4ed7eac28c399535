"""Feature views: the lists that training and serving read in common. A view is never changed."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

from contracts.registry import UnknownMember
from features.feature import FEATURES, Feature, FeatureError
from features.label import Label
from features.labels.triple_barrier import TripleBarrier


@dataclass(frozen=True)
class FeatureView:
    """Features in order, and the label they are to predict. A change is a new view or version."""

    name: str
    features: tuple[str, ...]
    label: Label
    version: int = 1

    @cached_property
    def members(self) -> tuple[Feature, ...]:
        """The features; raises UnknownMember, and FeatureError for one that is not scale-free.

        Later splits would change such a feature's past values.
        """
        found = tuple(FEATURES.get(name) for name in self.features)
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
        """Whether a feature is made of texts' sentiments."""
        return any("scored" in feature.columns for feature in self.members)

    @cached_property
    def hash(self) -> str:
        """16 hexadecimal digits over version, names, order, lookbacks, versions and label."""
        features = [feature.identity for feature in self.members]
        content = json.dumps([self.version, features, self.label.identity])
        return hashlib.sha256(content.encode()).hexdigest()[:16]


_VIEWS = (
    FeatureView(
        "daily_0",
        (
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
        ),
        TripleBarrier(horizon=1, width=0.5, window=20),
    ),
    FeatureView(
        "daily_1",
        (
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
        ),
        TripleBarrier(horizon=1, width=0.5, window=20),
    ),
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
