"""Which way a position goes first, as far as the volatility of its time lets expect."""

from features.labels.triple_barrier import TripleBarrier
from features.target import Target, declare

declare(
    Target("trend_1", TripleBarrier(horizon=1, width=0.5, window=20)),
    Target("trend_5", TripleBarrier(horizon=5, width=0.5, window=20)),
)
