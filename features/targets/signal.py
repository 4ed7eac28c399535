"""What a position that follows a signal gains."""

from features.labels.total_return import TotalReturn
from features.target import Target, declare

declare(Target("signal", TotalReturn(horizon=5)))
