"""Recipes that foretell which way a price goes first."""

from training.recipe import DEFAULT, Recipe, declare

_EXPERTS = ("logistic", "lstm", "xgboost")
_SEQUENCES = ("logistic", "lstm", "transformer", "xgboost")

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
    Recipe(
        name="trend_5",
        view="daily_3",
        target="trend_5",
        objective="trend",
        experts=_SEQUENCES,
        ensemble="stacking",
        calibration="temperature",
        tuned=_SEQUENCES,
        fixed={
            "lstm": {"window": 20, "units": 16, "epochs": 40, "patience": 6},
            "transformer": {"window": 20, "width": 32, "epochs": 40, "patience": 6},
        },
    ),
    # Beside `demo`, in a few seconds of a processor: it abstains where it is less sure.
    Recipe(
        name="demo_trend_5",
        view="daily_3",
        target="trend_5",
        objective="trend",
        experts=("logistic", "transformer"),
        ensemble="threshold",
        calibration="temperature",
        fixed={"transformer": {"window": 5, "width": 8, "batch": 1024, "epochs": 6}},
        permutations=1,
    ),
    # A regression that hears, beside the features, the few numbers that stand for all of them.
    Recipe(
        name="trend_encoded",
        view="market_3",
        target="trend_1",
        objective="trend",
        experts=("logistic", "encoded_logistic"),
        tuned=("encoded_logistic",),
    ),
)
