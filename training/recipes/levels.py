"""Recipes that foretell whether support and resistance are touched."""

from training.recipe import Recipe, declare

_EXPERTS = ("barrier", "barrier_trees")
# What `make demo` learns from: the levels, the law's chances of a touch, and calm or storm.
_FEW = (
    *("support_distance_60", "support_away_60", "support_touches_60", "support_age_60"),
    *("support_kind_60", "support_chance"),
    *("resistance_distance_60", "resistance_away_60", "resistance_touches_60"),
    *("resistance_age_60", "resistance_kind_60", "resistance_chance"),
    *("realised_volatility_1", "realised_volatility_5", "realised_volatility_22"),
    *("realised_volatility_decayed", "market_volatility_1", "market_volatility_5"),
    *("return_1", "momentum_5"),
)

declare(
    Recipe(
        name="levels",
        view="daily_6",
        target="levels_5",
        objective="levels",
        experts=_EXPERTS,
        ensemble="weighted",
        tuned=("barrier_trees",),
    ),
    Recipe(
        name="demo_levels",
        view="daily_6",
        target="levels_5",
        objective="levels",
        experts=_EXPERTS,
        features=_FEW,
        fixed={"barrier_trees": {"learning_rate": 0.1, "rounds": 60}},
        permutations=1,
    ),
)
