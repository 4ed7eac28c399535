"""Which levels a price comes to."""

from features.labels.levels_touched import LevelsTouched
from features.target import Target, declare

declare(Target("levels_5", LevelsTouched(horizon=5, window=60)))
