"""Recipes that say what to do."""

from training.recipe import Member, Recipe, declare

# What tells calm from storm, and up from down, for all instruments of a session.
_STATE = (
    "index_volatility_20",
    "market_volatility_5",
    "index_momentum_20",
    "breadth",
    "dispersion",
)

declare(
    Recipe(
        name="signal",
        view="daily_4",
        target="signal",
        objective="signal",
        experts=("gate",),
        features=_STATE,
        parts={"trend": Member("default"), "volatility": Member("volatility")},
    ),
    Recipe(
        name="demo_signal",
        view="daily_4",
        target="signal",
        objective="signal",
        experts=("gate",),
        features=_STATE,
        parts={"trend": Member("demo"), "volatility": Member("demo_volatility")},
        permutations=1,
    ),
)
