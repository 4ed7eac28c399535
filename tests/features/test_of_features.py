"""Guards that run on every discovered feature, and leaks that they must catch."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from features.engine import evaluate
from features.feature import FEATURES, Feature, Inputs
from features.guards import of_features
from features.guards.of_features import GUARDS, Trial, same, trial
from features.panel import roll
from features.panel.panel import Panel
from features.panel.series import Series, Values, segments_of


@pytest.fixture(scope="module")
def tried() -> Trial:
    """Every feature there is, on one panel."""
    return trial(list(FEATURES))


@pytest.mark.parametrize("guard", GUARDS)
def test_every_feature_passes(guard: str, tried: Trial) -> None:
    assert sorted(set(GUARDS[guard](tried))) == []


def test_there_are_features_to_guard(tried: Trial) -> None:
    assert len([feature for feature in tried.features if feature.scale_free]) >= 150


def values(panel: Panel, feature: Feature) -> Values:
    return np.asarray(evaluate(panel, [feature])[feature.name])


def test_rows_not_decided_take_no_part_in_cross_sections(panel: Panel) -> None:
    rank = FEATURES.get("momentum_rank")
    outside = replace(panel, decided=panel.segment != 2)
    found = values(outside, rank)
    assert np.isnan(found[panel.segment == 2]).all()
    alone = values(panel.where(panel.segment != 2), rank)
    assert same(found[panel.segment != 2], alone)


# Planted leaks: each guard must refuse its own.


def centred(x: Inputs) -> Values:
    """A mean of the rows around each row, those after it included."""
    smooth = np.asarray(roll.mean(x.close, 5))
    ahead = Series.of(np.roll(smooth, -2), segments_of(x.close, "instrument"))
    return ahead / x.close


def whole_history(x: Inputs) -> Values:
    """Scaled by the mean of all rows, later ones included."""
    return x.close / np.nanmean(np.asarray(x.close))


def filled_from_the_future(x: Inputs) -> Values:
    """A null is filled with the next value."""
    values = np.array(x.close)
    for i in range(len(values) - 2, -1, -1):
        values[i] = values[i + 1] if np.isnan(values[i]) else values[i]
    return values


def recursive(x: Inputs) -> Values:
    """Depends on all rows before, whatever lookback it declares."""
    return np.cumsum(np.asarray(x.volume)) / x.volume


def neighbours(x: Inputs) -> Values:
    """Looks over the border to the instrument stored next."""
    return np.roll(np.asarray(x.close), 75) / x.close


def in_dollars(x: Inputs) -> Values:
    """A difference of prices sold as a ratio."""
    return x.close - roll.lag(x.close, 1)


def day_without_news(x: Inputs) -> Values:
    """Forgets that the news of a history's first row are not known."""
    return roll.sum(x.headlines, 5)


def late_start(x: Inputs) -> Values:
    """Needs twice the rows that it declares."""
    return roll.mean(x.close, 10) / x.close


def early(x: Inputs) -> Values:
    """Needs fewer rows than it declares."""
    return roll.mean(x.close, 3) / x.close


def of_the_block(x: Inputs) -> Values:
    """Over the highest price of whoever is walked together."""
    return x.close / np.nanmax(np.asarray(x.close))


def of_the_first(x: Inputs) -> Values:
    """Over the first price of whoever is stored first."""
    return x.close / np.asarray(x.close)[0]


def bit_by_bit(x: Inputs) -> Values:
    """Counts rises of a price that a split has rounded anew."""
    closes, before = np.asarray(x.close), np.asarray(roll.lag(x.close, 1))
    return Series.of((closes > before) * 1.0, segments_of(x.close, "instrument"))


def over_nothing(x: Inputs) -> Values:
    """Divides by a spread that rounding alone has left."""
    volatility = np.asarray(roll.change(x.close, 1)) * 0.0 + 1e-17
    return Series.of(1.0 / volatility, segments_of(x.close, "instrument"))


def surprise(x: Inputs) -> Values:
    """Knows how long the market will be closed, whoever knew it."""
    return x.rest


LEAKS = (
    (bit_by_bit, of_features.ties),
    (over_nothing, of_features.ties),
    (surprise, of_features.closures),
    (centred, of_features.future),
    (whole_history, of_features.future),
    (whole_history, of_features.lookback),
    (filled_from_the_future, of_features.nulls),
    (recursive, of_features.lookback),
    (neighbours, of_features.alone),
    (in_dollars, of_features.scale),
    (day_without_news, of_features.lookback),
    (late_start, of_features.lookback),
    (early, of_features.warm_up),
    (of_the_block, of_features.blocks),
    (of_the_first, of_features.order),
)


@pytest.mark.parametrize(("leak", "guard"), LEAKS)
def test_a_planted_leak_is_caught(
    leak: Callable[[Inputs], Values], guard: of_features.Guard
) -> None:
    inputs = ("close", "volume", "headlines", "rest")
    feature = Feature(leak.__name__, leak, 5, inputs, "ratio")
    assert list(guard(trial([feature]))), f"{guard.__name__} lets {leak.__name__} pass"


def test_an_understated_lookback_is_caught() -> None:
    honest = FEATURES.get("mean_20")
    assert not list(of_features.lookback(trial([honest])))
    assert list(of_features.lookback(trial([replace(honest, rows=19)])))


@pytest.mark.parametrize("name", ["return_1", "momentum_rank"])
def test_a_cross_section_is_declared_and_is_one(name: str) -> None:
    feature = FEATURES.get(name)
    assert not list(of_features.alone(trial([feature])))
    if name == "return_1":
        wrong = replace(feature, cross_section=True, compute=lambda x: x.total * 0.0 + 1.0)
        assert list(of_features.alone(trial([wrong]))) == ["return_1"]


def test_a_unit_that_is_none_is_caught() -> None:
    assert list(of_features.scale(trial([replace(FEATURES.get("mean_20"), unit="price")])))


def test_broken_names_the_guard_and_the_feature() -> None:
    leak = Feature("in_dollars", in_dollars, 2, ("close",), "ratio")
    found = of_features.broken([leak, FEATURES.get("mean_20")])
    assert {name: bad for name, bad in found.items() if bad} == {"scale": ["in_dollars"]}
