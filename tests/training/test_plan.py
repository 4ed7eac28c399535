"""What tuning tries, and what it keeps."""

import pytest

from training.recipes import DEFAULT, RECIPES, UnknownRecipe, recipe
from training.search import Trial
from training.tune import best, plan


def test_trials_are_the_defaults_first_then_seeded_draws() -> None:
    trials = plan(recipe(DEFAULT), 4)
    assert [t.index for t in trials] == [0, 1, 2, 3]
    assert trials[0].hyperparameters["max_depth"] == 3
    assert len({tuple(t.hyperparameters.items()) for t in trials}) == 4
    assert plan(recipe(DEFAULT), 4) == trials
    assert plan(recipe(DEFAULT), 6)[:4] == trials


def test_the_earliest_of_equal_trials_is_kept() -> None:
    trials = [Trial(i, "xgboost", {"max_depth": i}) for i in range(3)]
    assert best(trials, {0: 1.0, 1: 0.9, 2: 0.9})["xgboost"].index == 1


def test_every_recipe_names_experts_that_exist() -> None:
    for known in RECIPES.values():
        assert plan(known, 1)
    with pytest.raises(UnknownRecipe, match="daily_trend"):
        recipe("none")
