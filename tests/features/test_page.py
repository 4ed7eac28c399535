"""The verbs that show all features and judge them, and the page made of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from features.__main__ import app
from features.feature import FEATURES, Feature
from features.guards import of_features, of_labels, page
from features.guards.trial import trial_panel
from features.input import INPUTS
from features.label import LABELS
from features.labels.level_touch import LevelTouch
from features.labels.total_return import TotalReturn
from features.labels.touch import TouchLabel
from features.labels.triple_barrier import TripleBarrier
from features.panel.panel import Panel
from features.panel.series import Values

PAGE = Path(__file__).resolve().parents[2] / "docs" / "features.md"
RUNNER = CliRunner()


def test_the_page_lists_all_features_as_they_are_declared() -> None:
    wanted = "\n".join(page.page()).strip()
    mend = "put what `python -m features describe --all` prints at the end of docs/features.md"
    assert PAGE.read_text().strip().endswith(wanted), mend
    assert all(f"`{feature.name}`" in wanted for feature in FEATURES)


def test_describe_prints_the_page() -> None:
    done = RUNNER.invoke(app, ["describe", "--all"])
    assert done.exit_code == 0 and done.stdout.strip() == "\n".join(page.page()).strip()


def test_check_judges_every_feature_and_label() -> None:
    done = RUNNER.invoke(app, ["check"])
    assert done.exit_code == 0, done.stdout
    lines = done.stdout.splitlines()
    assert lines[-1] == "0 breaches"
    assert len([line for line in lines if line.endswith("  holds")]) == sum(
        map(len, map(list, (FEATURES, LABELS, INPUTS)))
    )


def test_check_fails_on_a_breach(monkeypatch: pytest.MonkeyPatch) -> None:
    leak = Feature("dollars", lambda x: x.close, 1, ("close",), "ratio")
    monkeypatch.setattr(FEATURES, "_members", {**FEATURES._members, "dollars": leak})
    done = RUNNER.invoke(app, ["check"])
    assert done.exit_code == 1 and done.stdout.splitlines()[-1] == "1 breaches"
    assert [line for line in done.stdout.splitlines() if "BROKEN: scale" in line] == [
        f"{'dollars':<26} {'ratio':<7} {1:>5}  BROKEN: scale"
    ]


class Hindsight(TotalReturn):
    """Looks at the last close there is."""

    def basis(self, panel: Panel) -> Values:
        return panel.columns["close"][None] / panel.columns["close"][-1]

    def outcome(self, held: object) -> tuple[Values, Values]:
        found = held.basis[0]  # type: ignore[attr-defined]
        return found, found


class Dollars(TotalReturn):
    """A price sold as a return."""

    def outcome(self, held: object) -> tuple[Values, Values]:
        found = held.panel.columns["close"][held.last]  # type: ignore[attr-defined]
        return found, found


class Open(TotalReturn):
    """Settled before anything is known."""

    def settle(self, panel: Panel, basis: Values) -> object:  # type: ignore[override]
        from dataclasses import replace

        found = super().settle(panel, basis)
        return replace(found, settled_at=found.settled_at - 3 * 86_400_000_000)


class Entry(TotalReturn):
    """Entered at the close that it was decided at."""

    def outcome(self, held: object) -> tuple[Values, Values]:
        close = held.panel.columns["close"]  # type: ignore[attr-defined]
        found = close[held.last] / close[held.decided] - 1.0  # type: ignore[attr-defined]
        return found, found


class Rounded(TotalReturn):
    """Whether the close rose, bit by bit."""

    def outcome(self, held: object) -> tuple[Values, Values]:
        close = held.panel.columns["close"]  # type: ignore[attr-defined]
        found = np.sign(close[held.last] - close[held.decided])  # type: ignore[attr-defined]
        return found, found


@pytest.mark.parametrize(
    ("leak", "guard"),
    [
        (Hindsight, "future"),
        (Hindsight, "alone"),
        (Dollars, "scale"),
        (Open, "future"),
        (Entry, "starts_at_the_entry"),
        (Rounded, "ties"),
    ],
)
def test_a_leaking_label_is_caught(leak: type[TotalReturn], guard: str) -> None:
    assert guard in of_labels.label_broken(leak(horizon=2))


@pytest.mark.parametrize("rule", [TripleBarrier(5, version=1), LevelTouch(5, version=1)])
def test_labels_of_before_hang_on_bits_and_their_successors_do_not(rule: TouchLabel) -> None:
    assert of_labels.label_broken(rule) == ["ties"]
    assert of_labels.label_broken(replace(rule, version=2)) == []  # type: ignore[type-var]


def test_who_ends_with_each_segment_is_caught() -> None:
    panel = trial_panel(rows=60)
    # Three sessions of one instrument, each said to be its last.
    days = panel.session + panel.segment * np.timedelta64(90, "D")
    three = replace(
        panel, instruments=("SIM001",) * 3, session=days, ended=np.full(3, panel.as_of[-1])
    )
    with pytest.raises(of_labels.LabelLeak, match="is delisted and traded afterwards"):
        of_labels.ends_once(TotalReturn(5), three)
    last = np.array(["NaT", "NaT", panel.as_of[-1]], "datetime64[us]")
    of_labels.ends_once(TotalReturn(5), replace(three, ended=last))


def test_check_runs_every_guard_of_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.__main__.FEATURES", [])
    monkeypatch.setattr("features.__main__.LABELS", [Rounded])
    monkeypatch.setattr("features.__main__.INPUTS", [])
    done = RUNNER.invoke(app, ["check"])
    assert done.exit_code == 1
    names = done.stdout.splitlines()[1].split("guards: ")[1].split(", ")
    assert names == ["alone", "scale", "ties", "future", "starts_at_the_entry", "ends_once"]
    assert "BROKEN: ties, starts_at_the_entry" in done.stdout


def test_the_trial_panel_lasts_longer_than_every_lookback() -> None:
    longest = max(feature.lookback for feature in FEATURES)
    assert len(of_features.trial(list(FEATURES)).moments) == longest + of_features.ROWS
    assert len(trial_panel(rows=80).session) == 3 * 80 - 9
