"""Recipes that foretell which way a price goes first."""

from training.recipe import DEFAULT, Recipe, declare

_EXPERTS = ("logistic", "lstm", "xgboost")

declare(
    Recipe(
        name=DEFAULT,
        view="daily_3",
        target="trend_1",
        objective="trend",
        experts=_EXPERTS,
        ensemble="weighted",
        tuned=_EXPERTS,
        fixed={"lstm": {"window": 20, "units": 16, "epochs": 40, "patience": 6}},
    ),
    # What `make demo` trains in two and a half minutes on two cores.
    Recipe(
        name="demo",
        view="daily_3",
        target="trend_1",
        objective="trend",
        experts=_EXPERTS,
        tuned=("xgboost",),
        fixed={"lstm": {"window": 5}},
        permutations=1,
    ),
)
