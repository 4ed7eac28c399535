"""Recipes that foretell how much a price moves."""

from training.recipe import Recipe, declare

_EXPERTS = ("har", "har_xgboost", "xgboost", "garch")
# What `make demo` learns from: what was realised, and what else tells calm from storm.
_FEW = (
    *("realised_volatility_1", "realised_volatility_5", "realised_volatility_22"),
    *("realised_volatility_66", "realised_volatility_252", "realised_volatility_decayed"),
    *("market_volatility_1", "market_volatility_5", "index_volatility_20"),
    *("fall_1", "fall_5", "market_fall_1", "return_1", "index_momentum_5"),
    *("volume_ratio_20", "news_count_1", "days_rested"),
)

declare(
    *(
        Recipe(
            name=name,
            view="daily_5",
            target=target,
            objective="volatility",
            experts=_EXPERTS,
            tuned=_EXPERTS,
        )
        for name, target in (("volatility", "volatility_5"), ("volatility_20", "volatility_20"))
    ),
    Recipe(
        name="demo_volatility",
        view="daily_5",
        target="volatility_5",
        objective="volatility",
        experts=("har", "xgboost"),
        features=_FEW,
        fixed={"xgboost": {"learning_rate": 0.1, "rounds": 100}},
        permutations=1,
    ),
)
