"""What views of before answer on prices in cents, as the code answered that they began with.

The file beside was written by commit 7a0821b, which compared prices bit by bit:

    python tests/features/test_frozen_views.py

It is never written again: a champion that was trained on such a view keeps its answers.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.engine import evaluate
from features.guards.trial import trial_panel
from features.panel.panel import Panel
from features.view import view

KEPT = Path(__file__).resolve().parent / "frozen_views.json"
SHOWN, ROWS = 25, 130
FROZEN = {
    "daily_0": "c8e34d32fedbcbac",
    "daily_1": "8eaa24e97cb2795b",
    "daily_2": "0df78fd182f849fe",
    "market_2": "5fd741e625820c4d",
    "minute_2": "68f66362624b9cc1",
    "roi_2": "50b0b68f1aabf4c0",
    "roi_2_5": "85660b97df7b30ad",
    "roi_2_20": "08be07c99da98caa",
}


def in_cents() -> Panel:
    """Two instruments that move by cents, whose past a split of 3:1 has rounded, and a pinned one.

    Their wide bars reach both barriers, some at equal distances from the open.
    """
    panel, draw = trial_panel(3, ROWS, 5), np.random.default_rng(5)
    size, pinned = len(panel.session), panel.segment == 2
    close = 900 + np.cumsum(draw.integers(-3, 4, size))
    opened = close + draw.integers(-2, 3, size)
    wide = draw.integers(0, 12, (2, size))
    wide[1] = np.where(draw.random(size) < 0.3, wide[0] + opened - close, wide[1])
    high, low = np.maximum(opened, close) + wide[0], np.minimum(opened, close) - wide[1]
    bars = {"open": opened, "high": np.maximum(high, close), "low": low, "close": close}
    split = np.where(panel.place < 100, 3.0, 1.0)
    columns = {n: np.where(pinned, 2619, x) / 100 / split for n, x in bars.items()}
    columns |= {"total": columns["close"], "volume": draw.integers(0, 9, size) * 100.0}
    return replace(panel, columns={**panel.columns, **columns})


def answers() -> dict[str, list[float | None]]:
    """Features and labels of every frozen view at the panel's end, to 9 significant digits."""
    panel = in_cents()
    rows = panel.place >= ROWS - SHOWN
    found = dict[str, np.ndarray]()
    for name in FROZEN:
        one = view(name)
        found |= evaluate(panel, one.members)
        assert one.label is not None
        outcome = one.label.settle(panel, one.label.basis(panel))
        found |= {f"{name} label": outcome.value, f"{name} return": outcome.total_return}
        found |= {f"{name} persistence": one.label.persistence(panel)}
    return {
        name: [None if np.isnan(x) else float(f"{x:.9g}") for x in column[rows].tolist()]
        for name, column in sorted(found.items())
    }


@pytest.mark.parametrize("name", FROZEN)
def test_their_hashes_are_those_of_before(name: str) -> None:
    assert view(name).hash == FROZEN[name]


def test_their_values_and_labels_are_those_of_before() -> None:
    kept, found = json.loads(KEPT.read_text()), answers()
    assert kept.keys() == found.keys()
    for name, wanted in kept.items():
        np.testing.assert_allclose(
            np.array(found[name], float), np.array(wanted, float), rtol=1e-8, err_msg=name
        )


def main() -> None:
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(x)}" for name, x in answers().items())
    KEPT.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
