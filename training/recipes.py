"""What a training run is made of: one `Recipe` each."""

from dataclasses import dataclass

from training.bootstrap import Blocks
from training.contest import Rules
from training.folds import WalkForward


@dataclass(frozen=True)
class Recipe:
    """A view (features and their label) and the experts that are tuned and contested on it."""

    name: str
    view: str
    objective: str
    experts: tuple[str, ...]
    cut: WalkForward = WalkForward()
    blocks: Blocks = Blocks()
    rules: Rules = Rules()
    seed: int = 7


class UnknownRecipe(KeyError):
    """No recipe bears that name; the message lists those that exist."""

    def __str__(self) -> str:
        return str(self.args[0])


DEFAULT = "daily_trend"

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name=DEFAULT,
            view="daily_1",
            objective="trend",
            experts=("xgboost",),
        ),
    )
}


def recipe(name: str) -> Recipe:
    """The recipe of that name; raises UnknownRecipe."""
    if name not in RECIPES:
        raise UnknownRecipe(f"no recipe is named {name!r}; found: {', '.join(sorted(RECIPES))}")
    return RECIPES[name]
