"""What a training run is made of: one `Recipe` each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.expected import Expected
from training.evidence.decision import Rules
from training.forecast import Thresholds
from training.samples.folds import WalkForward


@dataclass(frozen=True)
class Recipe:
    """A view (features and their label), experts, and the ensemble of them that is contested.

    tuned: the experts whose hyperparameters are searched, beginning at what `fixed` says of them
    (expert -> field -> value). permutations: fits with permuted labels, for the evidence.
    """

    name: str
    view: str
    objective: str
    experts: tuple[str, ...]
    ensemble: str = "soft"
    tuned: tuple[str, ...] = ()
    fixed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cut: WalkForward = WalkForward()
    rules: Rules = Rules()
    thresholds: Thresholds = Thresholds()
    permutations: int = 3
    seed: int = 7


class UnknownRecipe(Expected, KeyError):
    """No recipe bears that name; the message lists those that exist."""

    def __str__(self) -> str:
        return str(self.args[0])


DEFAULT = "default"
TREND = ("logistic", "lstm", "xgboost")

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name=DEFAULT,
            view="daily_3",
            objective="trend",
            experts=TREND,
            ensemble="weighted",
            tuned=TREND,
            fixed={"lstm": {"window": 20, "units": 16, "epochs": 40, "patience": 6}},
        ),
        # What `make demo` trains in two and a half minutes on two cores.
        Recipe(
            name="demo",
            view="daily_3",
            objective="trend",
            experts=TREND,
            tuned=("xgboost",),
            fixed={"lstm": {"window": 5}},
            permutations=1,
        ),
    )
}


def recipe(name: str) -> Recipe:
    """The recipe of that name; raises UnknownRecipe."""
    if name not in RECIPES:
        raise UnknownRecipe(f"no recipe is named {name!r}; found: {', '.join(sorted(RECIPES))}")
    return RECIPES[name]
