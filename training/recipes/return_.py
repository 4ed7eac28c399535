"""Recipes that foretell what a position gains."""

from training.recipe import Recipe, declare

_EXPERTS = ("quantile_trees", "bilstm")
# How far returns of 20 sessions grow with the volatility of now: the slope of the logarithm of
# their mean size on that of real stocks up to 2011 (first fold of benchmarks/return_quality.py).
_MONTH = 0.83
# What `make demo` learns from: how much a price may move, and what may say where to.
_FEW = (
    *("realised_volatility_1", "realised_volatility_5", "realised_volatility_22"),
    *("realised_volatility_decayed", "market_volatility_5"),
    *("return_1", "momentum_5", "momentum_20", "relative_return", "momentum_rank"),
    *("index_momentum_5", "volume_ratio_20", "news_sentiment_1", "news_count_1"),
)

declare(
    *(
        Recipe(
            name=name,
            view="daily_4",
            target=target,
            objective="return",
            experts=_EXPERTS,
            tuned=("quantile_trees",),
            fixed={expert: {"power": power} for expert in _EXPERTS if power != 1.0},
        )
        for name, target, power in (
            ("return", "return_1", 1.0),
            ("return_5", "return_5", 1.0),
            ("return_20", "return_20", _MONTH),
        )
    ),
    Recipe(
        name="demo_return",
        view="daily_4",
        target="return_1",
        objective="return",
        experts=_EXPERTS,
        features=_FEW,
        fixed={
            "quantile_trees": {"rounds": 30},
            "bilstm": {
                **{"window": 5, "first": 8, "second": 4, "attention": 2, "dense": 8},
                **{"dropout": 0.0, "learning_rate": 0.02, "batch": 512, "epochs": 3},
            },
        },
        permutations=1,
    ),
)
