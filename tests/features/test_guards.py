"""Guards that run on every discovered feature, and leaks that they must catch."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from features import roll
from features.engine import Inputs, evaluate
from features.feature import FEATURES, Feature
from features.panel import Panel
from features.series import Series, Values, segments_of

MEMBERS = list(FEATURES)

every_feature = pytest.mark.parametrize("feature", MEMBERS, ids=lambda feature: feature.name)


@pytest.fixture
def panel(make_panel: Callable[..., Panel], request: pytest.FixtureRequest) -> Panel:
    """The seeded panel, with rows enough for the test's feature."""
    call = getattr(request.node, "callspec", None)
    feature = call.params.get("feature") if call else None
    return make_panel(rows=rows_for(feature) if feature else 70)


def rows_for(feature: Feature) -> int:
    return max(70, feature.lookback + 49)


def values(panel: Panel, feature: Feature, block_rows: int = 10**6) -> Values:
    return np.asarray(evaluate(panel, [feature], block_rows=block_rows)[feature.name])


def assert_equal(found: Values, wanted: Values) -> None:
    """Equal to 1e-9, nulls in the same places."""
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    tolerance = 1e-9 * np.maximum(1.0, np.abs(wanted))
    assert (np.abs(found - wanted) <= tolerance)[~np.isnan(wanted)].all()


def refuse_the_future(panel: Panel, feature: Feature) -> None:
    """Cutting off all rows after a moment changes nothing up to it."""
    whole = values(panel, feature)
    for moment in np.unique(panel.as_of)[[-45, -30, -7]]:
        past = panel.as_of <= moment
        assert_equal(values(panel.where(past), feature), whole[past])


def suffice(panel: Panel, feature: Feature) -> None:
    """The last `lookback` rows give what the whole history gives, online as in a batch."""
    whole = values(panel, feature)
    for moment in np.unique(panel.as_of)[[-40, -20, -1]]:
        seen = panel.where(panel.as_of <= moment).tail(feature.lookback)
        newest = seen.as_of == moment
        assert_equal(values(seen, feature)[newest], whole[panel.as_of == moment])


def keep_apart(panel: Panel, feature: Feature) -> None:
    """Another instrument's columns change nothing, unless the feature is a cross-section."""
    first = panel.segment == 0
    shaken = {n: np.where(first, x, x[::-1] * 1.7) for n, x in panel.columns.items()}
    found = values(replace(panel, columns=shaken), feature)
    assert_equal(found[first], values(panel, feature)[first])


def keep_scale(panel: Panel, feature: Feature) -> None:
    """Prices times 100, or volumes times 100, change nothing."""
    prices = ("open", "high", "low", "close", "total", "dividend")
    for scaled in (prices, ("volume",)):
        columns = {n: x * 100 if n in scaled else x for n, x in panel.columns.items()}
        assert_equal(values(replace(panel, columns=columns), feature), values(panel, feature))


def keep_nulls(panel: Panel, feature: Feature) -> None:
    """A null input gives null or the value without it, never one taken from another row."""
    whole = values(panel, feature)
    moments = np.unique(panel.as_of)
    hole = panel.as_of == moments[40]
    holes = {n: np.where(hole, np.nan, x) for n, x in panel.columns.items()}
    found = values(replace(panel, columns=holes), feature)
    shaken = {n: np.where(hole, x * 1.7, x) for n, x in panel.columns.items()}
    looks = values(replace(panel, columns=shaken), feature)[hole] != whole[hole]
    assert np.isnan(found[hole][looks]).all()
    reached = (panel.as_of >= moments[40]) & (panel.as_of < moments[40 + feature.lookback])
    assert_equal(found[~reached], whole[~reached])
    present = ~np.isnan(found)
    assert_equal(found[present], whole[present])


@every_feature
def test_truncating_the_future_changes_nothing(feature: Feature, panel: Panel) -> None:
    refuse_the_future(panel, feature)


@every_feature
def test_the_declared_lookback_suffices(feature: Feature, panel: Panel) -> None:
    suffice(panel, feature)


@every_feature
def test_the_declared_lookback_is_needed(feature: Feature, panel: Panel) -> None:
    """The first rows of a history are null where the window is not full, and not longer."""
    found = values(panel, feature)
    full = panel.place >= feature.lookback - 1
    assert np.isnan(found[~full]).all()
    assert np.isfinite(found[full]).mean() > 0.3


@every_feature
def test_instruments_do_not_look_at_each_other(feature: Feature, panel: Panel) -> None:
    if feature.cross_section:
        with pytest.raises(AssertionError):
            keep_apart(panel, feature)
    else:
        keep_apart(panel, feature)


@every_feature
def test_the_scale_changes_nothing(feature: Feature, panel: Panel) -> None:
    if feature.scale_free:
        keep_scale(panel, feature)
    else:
        with pytest.raises(AssertionError):
            keep_scale(panel, feature)


@every_feature
def test_nulls_are_explicit(feature: Feature, panel: Panel) -> None:
    keep_nulls(panel, feature)


@every_feature
def test_the_block_size_does_not_matter(feature: Feature, make_panel: Callable[..., Panel]) -> None:
    panel = make_panel(instruments=7, rows=rows_for(feature))
    whole = values(panel, feature)
    for block_rows in (1, 3 * rows_for(feature)):
        np.testing.assert_array_equal(values(panel, feature, block_rows), whole)


@every_feature
def test_the_order_of_instruments_does_not_matter(
    feature: Feature, make_panel: Callable[..., Panel]
) -> None:
    panel = make_panel(rows=rows_for(feature))
    order = np.argsort(-panel.segment, kind="stable")
    turned = replace(
        panel,
        columns={name: column[order] for name, column in panel.columns.items()},
        offsets=np.append(0, np.cumsum(np.diff(panel.offsets)[::-1])),
        instruments=panel.instruments[::-1],
        session=panel.session[order],
        as_of=panel.as_of[order],
    )
    assert_equal(values(turned, feature), values(panel, feature)[order])


def test_rows_not_decided_take_no_part_in_cross_sections(panel: Panel) -> None:
    rank = FEATURES.get("momentum_rank")
    outside = replace(panel, decided=panel.segment != 2)
    found = values(outside, rank)
    assert np.isnan(found[panel.segment == 2]).all()
    assert_equal(found[panel.segment != 2], values(panel.where(panel.segment != 2), rank))


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


@pytest.mark.parametrize(
    ("leak", "guard"),
    [
        (centred, refuse_the_future),
        (whole_history, refuse_the_future),
        (whole_history, suffice),
        (filled_from_the_future, keep_nulls),
        (recursive, suffice),
        (neighbours, keep_apart),
        (in_dollars, keep_scale),
    ],
)
def test_a_planted_leak_is_caught(
    leak: Callable[[Inputs], Values], guard: Callable[[Panel, Feature], None], panel: Panel
) -> None:
    feature = Feature(leak.__name__, leak, 5, ("close", "volume"), "ratio")
    with pytest.raises(AssertionError):
        guard(panel, feature)


def test_an_understated_lookback_is_caught(panel: Panel) -> None:
    honest = FEATURES.get("mean_20")
    suffice(panel, honest)
    with pytest.raises(AssertionError):
        suffice(panel, replace(honest, rows=19))
