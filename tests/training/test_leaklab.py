"""The lab finds what it plants, accuses no clean twin, and fails when a guard is switched off."""

import importlib
import os
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from training.__main__ import app
from training.leaklab import examine as leaklab
from training.leaklab import leaks
from training.leaklab.examine import Finding, artefact, examine, r_squared, table, verdict
from training.leaklab.leak import LEAKS, Plant
from training.leaklab.market import Lab

MEMBERS = list(LEAKS)
WANTED = {
    *("centred_window", "scaler_on_all_rows", "back_fill", "smoothed_target", "same_bar_entry"),
    *("late_news", "restated_value", "survivors_only", "shuffled_split", "no_purge", "short_purge"),
    *("read_the_test", "percent_for_fraction", "wrong_column", "ignored_horizon"),
    *("first_answer_for_all", "output_in_scaled_units", "stopped_on_the_test", "later_actions"),
    *("shifted_session", "forming_bar", "tomorrows_universe", "all_in_column_0"),
    *("handicapped_baseline", "stacked_in_fold"),
}


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab()


@pytest.fixture(scope="module")
def findings(lab: Lab) -> list[Finding]:
    return list(examine(lab))


def test_every_leak_that_was_asked_for_is_planted_in_every_room() -> None:
    assert set(LEAKS.names()) >= WANTED
    assert {plant.planted for plant in MEMBERS} == {"features", "training", "serving"}


def test_every_leak_is_caught_and_no_clean_twin_accused(findings: list[Finding]) -> None:
    assert {f.leak.name: f.evidence for f in findings if not f.evidence} == {}
    assert {f.leak.name: f.false_alarm for f in findings if f.false_alarm} == {}
    count = len(MEMBERS)
    assert verdict(findings) == f"detected {count} of {count}, false alarms 0 of {count}"


def guards_of(plant: Plant) -> Iterator[tuple[object, str]]:
    """Where the modules of leaks hold the guard that catches it."""
    name = plant.caught_by.split(".")[-1]
    for module in pkgutil.iter_modules(leaks.__path__):
        held = importlib.import_module(f"training.leaklab.leaks.{module.name}")
        if hasattr(held, name):
            yield held, name
    if name == "split":
        yield importlib.import_module("training.samples.folds").WalkForward, name
    if name == "require":
        yield importlib.import_module("training.forecast").Classes, name
        yield importlib.import_module("training.leaklab.leaks.answers"), "require_known_answers"


@pytest.mark.parametrize("plant", MEMBERS, ids=lambda plant: plant.name)
def test_without_its_guard_a_leak_is_missed(
    plant: Plant, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    switched = list(guards_of(plant))
    assert switched, f"{plant.name} names no guard that the lab runs: {plant.caught_by}"
    for holder, name in switched:
        monkeypatch.setattr(holder, name, lambda *_: [])
    missed = Finding(plant, plant.alarm(lab, True), "")
    assert not missed.detected
    assert verdict([missed]) == "detected 0 of 1, false alarms 0 of 1"


def test_the_verb_fails_when_a_leak_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = LEAKS.get("shuffled_split")

    def run(evidence: str, false_alarm: str = "") -> int:
        made = [Finding(found, evidence, false_alarm)]
        monkeypatch.setattr(leaklab, "examine", lambda _: iter(made))
        return CliRunner().invoke(app, ["leaklab"], env={"FINPULSE_TEST_DATA": ""}).exit_code

    assert run("rows must be sorted") == 0
    assert run("") == 1
    assert run("rows must be sorted", "and so must these") == 1


def test_another_market_is_judged_alike() -> None:
    quick = [plant for plant in MEMBERS if plant.planted != "features"]
    for plant in quick:
        assert plant.alarm(Lab(11), True) and not plant.alarm(Lab(11), False), plant.name


def test_a_fault_of_the_lab_is_no_finding(lab: Lab) -> None:
    def broken(_: Lab, __: bool) -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        Plant("broken", "training", "nothing", broken).alarm(lab, True)


def test_the_table_says_what_was_missed_and_who_was_accused() -> None:
    plant = LEAKS.get("no_purge")
    shown = table([Finding(plant, "", ""), Finding(plant, "seen", "clean")])
    assert list(shown.columns[3].cells) == ["NOT DETECTED", "FALSE ALARM: clean"]


def test_a_smoothed_target_looks_foretold_on_white_noise() -> None:
    found = artefact("")
    assert found.source == "white noise"
    # In theory 0.60 by the newest mean alone and 0.80 at best; nothing at all of raw noise.
    assert 0.6 < found.smoothed < 0.8
    assert abs(found.raw) < 0.1


def test_r_squared_finds_an_autoregression() -> None:
    draw = np.random.default_rng(2)
    series = [0.0]
    for shock in draw.normal(size=5_000):
        series.append(0.8 * series[-1] + shock)
    assert r_squared(np.array(series)) == pytest.approx(0.64, abs=0.05)


@pytest.mark.data
@pytest.mark.skipif("FINPULSE_TEST_DATA" not in os.environ, reason="FINPULSE_TEST_DATA is unset")
def test_a_smoothed_target_looks_foretold_on_real_returns() -> None:
    found = artefact(str(Path(os.environ["FINPULSE_TEST_DATA"])))
    assert found.source == "sp500_daily" and found.series == 50
    assert 0.6 < found.smoothed < 0.85
    assert abs(found.raw) < 0.1
