"""How a text model is fine-tuned: hyperparameters, and the space that they are searched in."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

Pooling: TypeAlias = Literal["mean", "cls", "both"]


@dataclass(frozen=True)
class Course:
    """One way to learn.

    epochs: of as many texts as the sets hold together. rate: of the head and the last layer, each
    layer below learns `decay` times as fast (Howard and Ruder 2018). frozen: how many of the lowest
    layers, with the embeddings, never learn; of the others the last come first: all are awake after
    the share `thaw` of the steps. warmup: share of the steps in which rates rise. smoothing: of
    labels. balance: 1 draws each source equally often, 0 by its size. even: 1
    lets classes count as if all were equally frequent, 0 as they are. pooling: of token states, by
    a checkpoint without a head of its own. length: tokens of a chunk. averaged: share of the steps,
    the last ones, whose checks' weights are averaged (Izmailov et al. 2018); 0 keeps those of the
    check that the held-out source likes best.
    """

    epochs: float = 4.0
    rate: float = 2e-4
    decay: float = 0.8
    frozen: int = 0
    thaw: float = 0.2
    warmup: float = 0.1
    smoothing: float = 0.1
    balance: float = 0.5
    even: float = 0.0
    pooling: Pooling = "mean"
    dropout: float = 0.1
    batch: int = 32
    length: int = 128
    averaged: float = 0.5
    seed: int = 7

    def values(self) -> dict[str, Any]:
        """Plain values by name."""
        return asdict(self)


# What a trial draws from: learning rate, epochs, warm-up, frozen layers, pooling.
SPACE: dict[str, tuple[Any, ...]] = {
    "rate": (5e-5, 1e-4, 2e-4, 4e-4),
    "epochs": (2.0, 3.0, 4.0, 6.0),
    "warmup": (0.0, 0.1, 0.2),
    "frozen": (0, 2, 4),
    "pooling": ("mean", "cls", "both"),
}
