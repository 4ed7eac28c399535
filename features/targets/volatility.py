"""How much a position moves while it is held, nights included."""

from features.labels.realised_volatility import RealisedVolatility
from features.target import Target, declare

declare(
    Target("volatility_5", RealisedVolatility(horizon=5, estimator="garman_klass_overnight")),
    Target("volatility_20", RealisedVolatility(horizon=20, estimator="garman_klass_overnight")),
)
