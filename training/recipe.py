"""What a training run is made of: one `Recipe` each.

declare(Recipe("demo", view="daily_4", target="trend_1", objective="trend", experts=("lstm",)))
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from typing import Any

from contracts.registry import Registry, UnknownMember
from training.evidence.decision import Rules
from training.samples.folds import WalkForward


@dataclass(frozen=True)
class Member:
    """Whose answers are a part of others: a recipe's ensemble, or one expert of it."""

    recipe: str
    expert: str = ""


@dataclass(frozen=True)
class Recipe:
    """A view and a target, the objective by which it is answered, experts, and their ensemble.

    calibration: of the ensemble's answers, none when empty. features: those of the view that are
    learnt from, all of them when empty. tuned: the experts whose hyperparameters are searched,
    beginning at what `fixed` says of them (expert -> field -> value). thresholds: of signals, where
    they are not the objective's. permutations: fits with permuted truths, for the evidence. parts:
    whose out-of-sample answers are learnt from beside the features, by the name that each has
    there; their recipes are trained at the same cut before. encoder: the version of a registered
    encoder of the view, whose numbers are learnt from beside the features.
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
    parts: Mapping[str, Member] = field(default_factory=dict)
    encoder: str = ""


RECIPES: Registry[Recipe] = Registry("recipe", "training.recipes")

DEFAULT = "default"


def declare(*recipes: Recipe) -> None:
    """Make the recipes known by their names."""
    for one in recipes:
        RECIPES.add(one.name, one)


def waves(names: Iterable[str]) -> list[tuple[str, ...]]:
    """The recipes of those names as they can be trained: side by side in a wave, the parts that
    others hear in one before it."""
    asked = set(names)
    heard = {one: {part.recipe for part in recipe(one).parts.values()} & asked for one in asked}
    sorter, found = TopologicalSorter(heard), list[tuple[str, ...]]()
    sorter.prepare()
    while sorter.is_active():
        found.append(tuple(sorted(sorter.get_ready())))
        sorter.done(*found[-1])
    return found


def recipe_of(target: str) -> Recipe:
    """The target's own recipe: named as it, else as its objective, else the default.

    Raises UnknownMember naming the recipes that foretell the target.
    """
    named = {one.name: one for one in RECIPES if one.target == target}
    own = (name for one in named.values() for name in (target, one.objective, DEFAULT))
    found = next((name for name in own if name in named), None)
    if found is None:
        known = ", ".join(named) or "none; " + ", ".join(sorted({r.target for r in RECIPES}))
        raise UnknownMember(f"no recipe is the target {target!r}'s own; found: {known}")
    return named[found]


def recipe(name: str) -> Recipe:
    """The recipe of that name; raises UnknownMember naming those that exist.

    `name:version` is the recipe with a registered encoder, under that name.
    """
    plain, _, encoder = name.partition(":")
    known = RECIPES.get(plain)
    return replace(known, name=name, encoder=encoder) if encoder else known
