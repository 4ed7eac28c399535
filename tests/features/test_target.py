"""Targets are frozen: a name means one label, for good."""

import pytest

from contracts.registry import UnknownMember
from features.label import LABELS
from features.target import TARGETS, target
from features.view import view

# What forecasts were made under these names is settled by these labels.
FROZEN = {
    "levels_5": "levels_touched(horizon=5, window=60)",
    "risk_1": "total_return(horizon=1)",
    "risk_10": "total_return(horizon=10)",
    "return_1": "total_return(horizon=1)",
    "return_5": "total_return(horizon=5)",
    "return_20": "total_return(horizon=20)",
    "signal": "total_return(horizon=5)",
    "trend_1": "triple_barrier(horizon=1, width=0.5, window=20, version=2)",
    "trend_5": "triple_barrier(horizon=5, width=0.5, window=20, version=2)",
    "volatility_5": "realised_volatility(horizon=5, estimator=garman_klass_overnight)",
    "volatility_20": "realised_volatility(horizon=20, estimator=garman_klass_overnight)",
}


def test_a_name_never_changes_its_label() -> None:
    found = {one.name: one.label.name for one in TARGETS}
    assert FROZEN.items() <= found.items(), "a name means one label for good: take a new name"
    new = found.items() - FROZEN.items()
    assert not new, f"freeze what is new: add to FROZEN {dict(new)}"


def test_a_number_in_the_name_is_the_horizon() -> None:
    for one in TARGETS:
        told = one.name.rpartition("_")[2]
        assert not told.isdigit() or int(told) == one.label.horizon, one.name
        assert one.label.kind in LABELS.names()


def test_the_trend_of_one_session_is_what_the_view_of_before_was_for() -> None:
    assert target("trend_1").label == view("daily_3").label


def test_an_unknown_target_is_named() -> None:
    with pytest.raises(UnknownMember, match=r"no target is named 'trend_2'; found: .*return_1, "):
        target("trend_2")
