"""Recipes that foretell how much may be lost."""

from training.recipe import Recipe, declare

_EXPERTS = ("filtered_simulation", "tail_xgboost")
# What `make demo` learns from: HAR's terms, and a year's losses.
_FEW = (
    *("realised_volatility_1", "realised_volatility_5", "realised_volatility_22"),
    *("realised_volatility_66", "realised_volatility_252", "realised_volatility_decayed"),
    *("market_volatility_1", "market_volatility_5", "fall_1", "fall_5", "market_fall_1"),
    *("historical_loss_95_252", "historical_loss_99_252"),
)

declare(
    *(
        Recipe(
            name=name,
            view="daily_5",
            target=target,
            objective="risk",
            experts=_EXPERTS,
            tuned=_EXPERTS,
        )
        for name, target in (("risk", "risk_1"), ("risk_10", "risk_10"))
    ),
    Recipe(
        name="demo_risk",
        view="daily_5",
        target="risk_1",
        objective="risk",
        experts=("filtered_simulation",),
        features=_FEW,
        permutations=1,
    ),
)
