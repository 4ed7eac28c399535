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

_PARTS = {
    "trend": Member("trend_5"),
    "return": Member("return_5"),
    "volatility": Member("volatility"),
}
# LSTM and Transformer must agree; the volatility says how much is held.
_TWO = {
    "lstm": Member("trend_5", "lstm"),
    "transformer": Member("trend_5", "transformer"),
    "volatility": Member("volatility"),
}

declare(
    *(
        Recipe(
            name=name,
            view="daily_4",
            target="signal",
            objective="signal",
            experts=("gate",),
            features=_STATE,
            fixed={"gate": {"mode": mode}},
            parts=parts,
        )
        for name, mode, parts in (
            ("signal", "softmax", _PARTS),
            ("signal_weighted", "weighted", _PARTS),
            ("signal_rules", "rules", _PARTS),
            ("signal_meta", "meta", _PARTS),
            ("signal_dual", "dual", _TWO),
        )
    ),
    Recipe(
        name="demo_signal",
        view="daily_4",
        target="signal",
        objective="signal",
        experts=("gate",),
        features=_STATE,
        parts={
            "trend": Member("demo"),
            "return": Member("demo_return"),
            "volatility": Member("demo_volatility"),
        },
        permutations=1,
    ),
)
