"""What a training run is made of: one `Recipe` each.

declare(Recipe("demo", view="daily_4", target="trend_1", objective="trend", experts=("lstm",)))
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.registry import Registry
from training.evidence.decision import Rules
from training.samples.folds import WalkForward


@dataclass(frozen=True)
class Recipe:
    """A view and a target, the objective by which it is answered, experts, and their ensemble.

    calibration: of the ensemble's answers, none when empty. features: those of the view that are
    learnt from, all of them when empty. tuned: the experts whose hyperparameters are searched,
    beginning at what `fixed` says of them (expert -> field -> value). thresholds: of signals, where
    they are not the objective's. permutations: fits with permuted truths, for the evidence.
    """

    name: str
    view: str
    target: str
    objective: str
    experts: tuple[str, ...]
    ensemble: str = "soft"
    calibration: str = ""
    features: tuple[str, ...] = ()
    tuned: tuple[str, ...] = ()
    fixed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cut: WalkForward = WalkForward()
    rules: Rules = Rules()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    permutations: int = 3
    seed: int = 7


RECIPES: Registry[Recipe] = Registry("recipe", "training.recipes")

DEFAULT = "default"


def declare(*recipes: Recipe) -> None:
    """Make the recipes known by their names."""
    for one in recipes:
        RECIPES.add(one.name, one)


def recipe(name: str) -> Recipe:
    """The recipe of that name; raises UnknownMember naming those that exist."""
    return RECIPES.get(name)
