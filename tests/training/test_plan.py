"""What tuning tries, and what it keeps."""

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from contracts.registry import UnknownMember
from features.target import TARGETS, target
from features.view import view
from training.ensemble import ENSEMBLES
from training.expert import EXPERTS
from training.objective import OBJECTIVES
from training.recipe import RECIPES, recipe, recipe_of, waves
from training.steps.search import Trial
from training.steps.tune import best, plan

ROOT = Path(__file__).resolve().parents[2]


def test_trials_are_the_defaults_first_then_seeded_draws() -> None:
    trials = plan(recipe("demo"), 4)
    assert [t.index for t in trials] == [0, 1, 2, 3]
    assert trials[0].hyperparameters == asdict(EXPERTS.get(trials[0].expert)())
    assert len({tuple(t.hyperparameters.items()) for t in trials}) == 4
    assert plan(recipe("demo"), 4) == trials
    assert plan(recipe("demo"), 6)[:4] == trials


def test_trials_begin_at_what_the_recipe_fixes() -> None:
    [start, drawn] = [t for t in plan(recipe("default"), 2) if t.expert == "lstm"]
    assert start.hyperparameters["units"] == 16 != drawn.hyperparameters["units"]
    assert start.hyperparameters["window"] == drawn.hyperparameters["window"] == 20


def test_the_earliest_of_equal_trials_is_kept() -> None:
    trials = [Trial(i, "xgboost", {"max_depth": i}) for i in range(3)]
    assert best(trials, {0: 1.0, 1: 0.9, 2: 0.9})["xgboost"].index == 1


def test_every_recipe_names_experts_that_exist() -> None:
    for known in RECIPES:
        objective = OBJECTIVES.get(known.objective)
        assert target(known.target).label.kind in objective.kinds
        assert set(known.features) <= set(view(known.view).features)
        for member in (ENSEMBLES.get(known.ensemble), *map(EXPERTS.get, known.experts)):
            assert isinstance(objective.head, member.heads), (known.name, member.name)
        assert [t.expert for t in plan(known, 1)] == list(known.tuned)
        assert set(known.tuned) | set(known.fixed) <= set(known.experts) <= set(EXPERTS.names())
        assert known.ensemble in ENSEMBLES.names()
    with pytest.raises(UnknownMember, match="demo"):
        recipe("none")


def test_parts_are_trained_in_a_wave_before_those_who_hear_them() -> None:
    names = ("demo_signal", "demo_volatility", "demo")
    assert waves(names) == [("demo", "demo_volatility"), ("demo_signal",)]
    assert waves(("signal_dual", "trend_5")) == [("trend_5",), ("signal_dual",)]
    assert waves(("demo_signal",)) == [("demo_signal",)], "others are not trained unasked"
    for known in RECIPES:
        for part in known.parts.values():
            heard = recipe(part.recipe)
            assert (part.expert or heard.ensemble) in (*heard.experts, heard.ensemble)
        if known.parts:
            assert 3 <= len(known.features) <= 5, "what tells the market's state are a few features"


def test_every_target_has_a_recipe_of_its_own() -> None:
    own = {one.name: recipe_of(one.name) for one in TARGETS}
    assert all(found.target == name for name, found in own.items())
    assert own["trend_1"].name == "default"
    assert own["signal"].name == "signal", "not one of its other modes"
    with pytest.raises(UnknownMember, match=r"'return_2'.*found: none; .*return_20"):
        recipe_of("return_2")


@pytest.mark.troubleshooting("no recipe is named ...")
@pytest.mark.parametrize("verb", ["view", "experts"])
def test_an_unknown_recipe_is_one_line(verb: str) -> None:
    command = [sys.executable, "-m", "training", verb, "--recipe", "nosuch"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    [line] = done.stderr.strip().splitlines()
    assert "no recipe is named 'nosuch'; found: default, demo" in line
