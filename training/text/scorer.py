"""Texts read once: class probabilities and embeddings, and which model gave them."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypeAlias

import numpy as np

from contracts.expected import Expected
from training.forecast import Floats
from training.text.graph import TOKENS
from training.text.labelled import ORDER

_BATCH = 32
# An address says nothing and is up to half of a short post's tokens.
_ADDRESS = r"https?://\S*"


@dataclass(frozen=True)
class Read:
    """What a model makes of n texts: probabilities (n, 3) in ORDER, and embeddings (n, width).

    The width is 0 for a model that embeds nothing, as a lexicon.
    """

    probabilities: Floats
    embeddings: Floats

    @classmethod
    def toned(cls, probabilities: Floats) -> "Read":
        """Probabilities alone."""
        return cls(probabilities, np.empty((len(probabilities), 0)))

    @classmethod
    def of_logits(cls, logits: Floats, embeddings: Floats) -> "Read":
        """Logits (n, 3) in ORDER as probabilities."""
        return cls(softmax(logits), embeddings)


Batch: TypeAlias = Callable[[list[str]], Read]


class TextModelGone(Expected, LookupError):
    """The text model of a version cannot be had any more; the message says what to do."""


def gone(version: str, found: str) -> TextModelGone:
    """The failure, with what was found in its place."""
    return TextModelGone(
        f"the text model {version} cannot be had: {found}; bring it back, or train again with the "
        "text model of today: what is pinned to this one forecasts nothing from new texts"
    )


@dataclass(frozen=True)
class Scorer:
    """A model by its version; `load` is called when the first texts come.

    It returns what reads a batch of texts. embeds: whether a text that it has scored is read again
    where its embedding is missing. trained_until: what was known by then is not read. chunk: texts
    that are worth reading at once.
    """

    model_version: str
    load: Callable[[], Batch]
    embeds: bool = False
    trained_until: datetime | None = None
    chunk: int = 1000

    @cached_property
    def _batch(self) -> Batch:
        return self.load()

    def read(self, texts: Sequence[str]) -> Read:
        """Probabilities and embeddings in the order of `texts`, web addresses left out."""
        bare = [plain(text) for text in texts]
        parts = [(rows, self._batch(part)) for rows, part in by_length(bare)]
        if not parts:
            return Read.toned(np.empty((0, len(ORDER))))
        back = np.argsort(np.concatenate([rows for rows, _ in parts]))
        found = [(one.probabilities, one.embeddings) for _, one in parts]
        return Read(*(np.concatenate(each)[back] for each in zip(*found, strict=True)))

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Probabilities (n, 3) of negative, neutral, positive in the order of `texts`."""
        return self.read(texts).probabilities


def plain(text: str) -> str:
    """The text as models read it, without web addresses."""
    return re.sub(_ADDRESS, "", text).strip()


def digest(*decisive: object) -> str:
    """12 hexadecimal digits over what decides a score, the treatment of texts included."""
    content = json.dumps([_ADDRESS, TOKENS, *decisive])
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def by_length(texts: Sequence[str]) -> Iterator[tuple[list[int], list[str]]]:
    """Batches of texts of like length, with their places: a batch is as slow as its longest."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for start in range(0, len(order), _BATCH):
        rows = order[start : start + _BATCH]
        yield rows, [texts[i] for i in rows]


def softmax(logits: Floats) -> Floats:
    """Rows of logits as probabilities."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)
