"""Views are frozen: what they mean is hashed, and their values lie in golden/<view>_<hash>.json.

After a deliberate change (a new view, a raised version) write what is missing:

    python tests/features/test_view.py
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts.registry import UnknownMember
from features import feature as declaration
from features.engine import evaluate
from features.feature import FEATURES, Feature, FeatureError, find
from features.guards.trial import quoted_panel, rounded_anew, trial_panel
from features.labels.triple_barrier import TripleBarrier
from features.panel.panel import Panel
from features.view import FeatureView, view, views

GOLDEN = Path(__file__).resolve().parent / "golden"
SHOWN = 12  # last rows of each instrument


def file_of(one: FeatureView) -> Path:
    return GOLDEN / f"{one.name}_{one.hash}.json"


def rows_of(one: FeatureView) -> int:
    """As many as a view's longest feature takes, and a few."""
    return max(70, one.reach + 3)


def golden(one: FeatureView, panel: Panel) -> dict[str, list[float | None]]:
    """The view's values at the panel's end, and its label if any, to 9 significant digits."""
    values = dict(evaluate(panel, one.members))
    if one.label is not None:
        outcome = one.label.settle(panel, one.label.basis(panel))
        values |= {"label": outcome.value, "total_return": outcome.total_return}
    rows = panel.place >= np.diff(panel.offsets)[panel.segment] - SHOWN
    return {
        name: [None if np.isnan(x) else float(f"{x:.9g}") for x in column[rows].tolist()]
        for name, column in values.items()
    }


def test_views_of_before_compare_bit_by_bit_and_newer_ones_to_the_tolerance() -> None:
    """Ten closes of one price, rounded anew: a champion of before sees rises, one of today none."""
    panel = quoted_panel(90)
    noisy = rounded_anew(panel)
    pinned = (panel.segment == 1) & (panel.place > 70)
    for name in ("money_flow_14", "balance_20", "steady_momentum_5"):
        before, now = (evaluate(noisy, [find(name, n)])[name][pinned] for n in (1, 2))
        assert np.isfinite(before).any() and np.nan_to_num(before).any(), name
        assert not np.nan_to_num(now).any(), name
    assert {v.edition for v in views() if v.name.endswith("_3") or "_3_" in v.name} == {2}


@pytest.mark.parametrize(
    ("name", "successor"),
    [("daily_2", "daily_3"), ("market_2", "market_3"), ("minute_2", "minute_3")],
)
def test_a_successor_takes_the_mended_label_and_features(name: str, successor: str) -> None:
    before, now = view(name), view(successor)
    assert (before.edition, now.edition) == (1, 2)
    assert before.label is not None and now.label is not None
    assert (before.label.version, now.label.version) == (1, 2)
    assert replace(before.label, version=2) == now.label  # type: ignore[type-var]
    changed = set(before.features) ^ set(now.features)
    assert changed <= {"days_of_rest_ahead", "announced_rest_ahead"}


def test_what_was_superseded_is_known_to_views_of_before_alone() -> None:
    assert find("days_of_rest_ahead", 1).columns == {"rest"}
    with pytest.raises(UnknownMember, match="days_of_rest_ahead"):
        find("days_of_rest_ahead")
    assert (find("beta_60", 1).version, find("beta_60").version) == (1, 2)
    assert find("residual_return", 1).sources[1] == find("beta_60", 1)


def test_features_of_two_editions_are_not_computed_together(panel: Panel) -> None:
    with pytest.raises(FeatureError, match=r"one edition, found \[1, 2\]"):
        evaluate(panel, [find("mean_20", 1), find("mean_5")])


@pytest.mark.parametrize("one", views(), ids=lambda one: one.name)
def test_values_do_not_change_without_a_version(
    one: FeatureView, make_panel: Callable[..., Panel]
) -> None:
    kept = file_of(one)
    assert kept.exists(), (
        f"{kept.name} is not there: {one.name} means something new. If so it should, raise its "
        "version or name, then run `python tests/features/test_view.py`"
    )
    found = golden(one, make_panel(rows=rows_of(one)))
    for name, wanted in json.loads(kept.read_text()).items():
        np.testing.assert_allclose(
            np.array(found[name], float),
            np.array(wanted, float),
            rtol=1e-8,
            atol=1e-9,
            err_msg=f"{name} changed: raise its version",
        )


def test_no_golden_panel_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {file_of(one).name for one in views()}


def test_a_changed_value_is_noticed(make_panel: Callable[..., Panel]) -> None:
    one, panel = view("daily_0"), make_panel()
    columns = panel.columns | {"close": panel.columns["close"] * np.linspace(1, 1.001, 201)}
    assert golden(one, replace(panel, columns=columns)) != golden(one, panel)


def test_the_hash_names_everything_that_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    one = view("daily_0")
    hashes = {
        one.hash,
        replace(one, features=one.features[::-1]).hash,
        replace(one, features=one.features[:-1]).hash,
        replace(one, label=TripleBarrier(horizon=2)).hash,
        replace(one, label=TripleBarrier(width=0.6)).hash,
        replace(one, version=2).hash,
    }
    # A version raised below momentum_rank and volatility_20 shows in the view, too.
    base = FEATURES.get("momentum_20")
    raised: dict[str, Feature] = {"momentum_20": replace(base, version=2)}
    monkeypatch.setattr(declaration.FEATURES, "_members", declaration.FEATURES._members | raised)
    hashes.add(replace(one, features=("momentum_rank",)).hash)
    hashes.add(replace(one).hash)
    monkeypatch.undo()
    hashes.add(replace(one, features=("momentum_rank",)).hash)
    assert len(hashes) == 9


def test_a_view_reaches_back_as_far_as_its_features() -> None:
    one = view("daily_0")
    assert one.reach == max(feature.lookback for feature in one.members) == 21
    assert replace(one, label=TripleBarrier(horizon=90)).reach == 21


def test_a_view_needs_no_label() -> None:
    old, bare = view("daily_0"), FeatureView("bare", view("daily_0").features)
    assert bare.label is None and bare.hash != old.hash


def test_an_unknown_view_is_named() -> None:
    with pytest.raises(UnknownMember, match="daily_0"):
        view("weekly")


def test_features_that_change_with_the_scale_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    close = Feature("close_price", lambda x: x.close, 1, ("close",), "price")
    known = declaration.FEATURES._members | {"close_price": close}
    monkeypatch.setattr(declaration.FEATURES, "_members", known)
    with pytest.raises(FeatureError, match="close_price is a price"):
        _ = FeatureView("raw", ("close_price",), TripleBarrier()).hash


def main() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for one in views():
        if not file_of(one).exists():
            columns = golden(one, trial_panel(rows=rows_of(one))).items()
            lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(x)}" for name, x in columns)
            file_of(one).write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
