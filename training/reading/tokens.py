"""Texts as a network takes them; what is longer than it reads is cut into chunks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.forecast import Floats

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Whole: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Chunks:
    """Token ids and mask (chunks, tokens), whose text each chunk is of, and its share of that
    text's tokens: the shares of a text sum to 1."""

    ids: Whole
    mask: Whole
    owner: Whole
    share: Floats

    def pooled(self, values: Any) -> Floats:
        """Values (chunks, k) as their weighted mean per text (texts, k)."""
        found = np.zeros((int(self.owner[-1]) + 1, values.shape[1]))
        np.add.at(found, self.owner, np.asarray(values, np.float64) * self.share[:, None])
        return found


def opened(content: str, length: int) -> "Tokenizer":
    """The tokenizer of a `tokenizer.json`, which cuts texts after `length` tokens."""
    from tokenizers import Tokenizer

    made = Tokenizer.from_str(content)
    made.no_padding()
    made.enable_truncation(length)
    return made


def chunked(tokenizer: "Tokenizer", texts: Sequence[str]) -> Chunks:
    """Texts as chunks in their order, the first of each first."""
    rows, owner = [], []
    for place, row in enumerate(tokenizer.encode_batch(list(texts))):
        parts = [row, *row.overflowing]
        rows += [part.ids for part in parts]
        owner += [place] * len(parts)
    sizes = np.array([len(row) for row in rows])
    mask = np.arange(sizes.max(initial=1)) < sizes[:, None]
    ids = np.zeros(mask.shape, np.int64)
    ids[mask] = np.concatenate([np.array(row, np.int64) for row in rows])
    of = np.array(owner, np.int64)
    share = sizes / np.bincount(of, sizes)[of]
    return Chunks(ids, mask.astype(np.int64), of, share)
