"""What a position may lose until the horizon ends."""

from features.labels.total_return import TotalReturn
from features.target import Target, declare

declare(
    Target("risk_1", TotalReturn(horizon=1)),
    Target("risk_10", TotalReturn(horizon=10)),
)
