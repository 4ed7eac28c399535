"""Declaring features: names, lookbacks and inputs, and what is refused."""

from collections.abc import Callable

import numpy as np
import pytest

from features.engine import evaluate
from features.feature import FEATURES, Feature, FeatureError, Inputs, declared
from features.input import columns
from features.panel.panel import Panel
from features.panel.series import Values


def plain(x: Inputs) -> Values:
    return x.close


def test_parameters_become_names_and_lookbacks() -> None:
    found = declared(plain, "w + 1", (5, 20))
    assert [(one.name, one.rows) for one in found] == [("plain_5", 6), ("plain_20", 21)]
    assert [one.rows for one in declared(plain, "w", (5,))] == [5]
    assert [one.rows for one in declared(plain, lambda w: 3 * w, (5,))] == [15]
    assert [(one.name, one.rows) for one in declared(plain, 7, ())] == [("plain", 7)]


@pytest.mark.parametrize("lookback", ["2 * w", "w - 1", "v", "", 0])
def test_a_lookback_that_is_none_is_refused(lookback: str | int) -> None:
    with pytest.raises(FeatureError, match="plain"):
        declared(plain, lookback, (5,))
    with pytest.raises(FeatureError, match=r"with w=\(\.\.\.\) given"):
        declared(plain, "w", ())


def test_lookbacks_add_up_along_the_inputs() -> None:
    assert FEATURES.get("volatility_20").rows == 20
    assert FEATURES.get("volatility_20").lookback == 21
    assert FEATURES.get("momentum_rank").lookback == FEATURES.get("momentum_20").lookback == 21


def test_every_member_is_documented_and_named_apart_from_columns() -> None:
    for feature in FEATURES:
        assert feature.name not in columns()
        function = getattr(feature.compute, "func", feature.compute)
        assert function.__doc__, f"{feature.name} has no docstring"


def test_only_declared_inputs_can_be_read(panel: Panel) -> None:
    sly = Feature("sly", lambda x: x.close / x.open, 1, ("close",), "ratio")
    with pytest.raises(FeatureError, match="sly reads 'open'"):
        evaluate(panel, [sly])


def test_a_value_per_row_is_expected(panel: Panel) -> None:
    short = Feature("short", lambda x: np.asarray(x.close)[1:], 1, ("close",), "price")
    with pytest.raises(FeatureError, match="short: expected one value per row"):
        evaluate(panel, [short])


def test_an_instruments_feature_cannot_look_across_instruments(panel: Panel) -> None:
    upward = Feature("upward", lambda x: x.momentum_rank, 1, ("momentum_rank",), "rank")
    with pytest.raises(FeatureError, match="declare it cross_section=True"):
        evaluate(panel, [upward])


def test_shared_inputs_are_computed_once_per_block(panel: Panel) -> None:
    calls = []

    def counted(x: Inputs) -> Values:
        calls.append(1)
        return x.close

    base = Feature("base", counted, 1, ("close",), "ratio")
    twice = Feature("twice", counted, 1, ("close",), "ratio")
    evaluate(panel, [base, base, twice], block_rows=140)
    assert len(calls) == 2 * 2  # two blocks, two features


def test_what_is_not_finite_is_null(panel: Panel) -> None:
    def shaky(x: Inputs) -> Values:
        return np.where(np.arange(len(x.close)) % 2, np.inf, -1.0) / 1.0

    values = evaluate(panel, [Feature("shaky", shaky, 1, ("close",), "ratio")])["shaky"]
    assert np.isnan(values).any() and not np.isinf(values).any()


def test_cross_sections_may_build_on_cross_sections(panel: Panel) -> None:
    inputs = ("momentum_rank", "return_1")
    nested = Feature(
        "nested", lambda x: x.momentum_rank + x.return_1, 1, inputs, "score", cross_section=True
    )
    values = evaluate(panel, [nested, *(FEATURES.get(name) for name in inputs)])
    np.testing.assert_array_equal(values["nested"], values["momentum_rank"] + values["return_1"])


def test_threads_and_precision_change_no_value(make_panel: Callable[..., Panel]) -> None:
    panel = make_panel(instruments=9, rows=120)
    members = [FEATURES.get(n) for n in ("deviation_20", "gain_share_5", "momentum_rank")]
    alone = evaluate(panel, members, block_rows=200, threads=1)
    both = evaluate(panel, members, block_rows=200, threads=3)
    short = evaluate(panel, members, dtype=np.float32)
    for name, wanted in alone.items():
        np.testing.assert_array_equal(both[name], wanted)
        assert short[name].dtype == np.float32
        np.testing.assert_array_equal(short[name], wanted.astype(np.float32))


def test_an_error_in_one_block_ends_all(make_panel: Callable[..., Panel]) -> None:
    short = Feature("short", lambda x: np.asarray(x.close)[1:], 1, ("close",), "price")
    with pytest.raises(FeatureError, match="short"):
        evaluate(make_panel(instruments=9), [short], block_rows=70, threads=2)
