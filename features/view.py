"""Feature views: the lists that training and serving read in common. A view is never changed.

declare(FeatureView("daily_4", ("return_1", "momentum_5")))
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

from contracts.registry import Registry
from features.feature import EDITION, Feature, FeatureError, find
from features.input import INPUTS, columns
from features.label import Label


@dataclass(frozen=True)
class FeatureView:
    """Features in order; a change is a new view or version. One matrix serves all targets.

    label: what views of before were to predict; a view of today has none, a target brings its own.
    interval: that of the bars, 1d or 1m; minutes are looked back on within their session.
    edition: the definitions of its features (features/feature.py).
    """

    name: str
    features: tuple[str, ...]
    label: Label | None = None
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
        """Rows up to a decision that its features look at."""
        return max(feature.lookback for feature in self.members)

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
        """16 hexadecimal digits over version, names, order, lookbacks and versions.

        And over a label where it has one, interval and edition where they are not those of the
        first views.
        """
        features = [feature.identity for feature in self.members]
        content: list[object] = [self.version, features]
        if self.label is not None:
            content.append(self.label.identity)
        if self.interval != "1d":
            content.append(self.interval)
        if self.edition > 1:
            content.append(self.edition)
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


VIEWS: Registry[FeatureView] = Registry("feature view", "features.views")


def declare(*views: FeatureView) -> None:
    """Make the views known by their names."""
    for one in views:
        VIEWS.add(one.name, one)


def views() -> tuple[FeatureView, ...]:
    """All views, in the order of their names."""
    return tuple(VIEWS)


def view(name: str) -> FeatureView:
    """The view of that name; raises UnknownMember naming those that exist."""
    return VIEWS.get(name)
