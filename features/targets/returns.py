"""What a position gains until the horizon ends."""

from features.labels.total_return import TotalReturn
from features.target import Target, declare

declare(
    Target("return_1", TotalReturn(horizon=1)),
    Target("return_5", TotalReturn(horizon=5)),
    Target("return_20", TotalReturn(horizon=20)),
)
