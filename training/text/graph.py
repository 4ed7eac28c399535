"""A text model's network as one ONNX graph, and its texts through the tokenizer into it.

The graph is traced through torch once and kept in the object store; what runs it afterwards is
onnxruntime and tokenizers alone, so that scoring starts in a second.
"""

import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from training.forecast import Floats
from training.text.balanced import balanced

TOKENS = 128
OPSET = 17
INPUTS = ("input_ids", "attention_mask")
EMBEDDING = ("embedding",)
OUTPUTS = ("logits", *EMBEDDING)

Run: TypeAlias = Callable[[Sequence[str]], tuple[Floats, ...]]


def export(module: Any, file: Path, outputs: Sequence[str] = OUTPUTS) -> None:
    """Write a torch module as a graph: (input_ids, attention_mask) to tensors of those names.

    The first axis of each is the texts.
    """
    import torch

    axes = {0: "texts", 1: "tokens"}
    example = torch.ones((2, 16), dtype=torch.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values traced as constants: a test holds the outputs
        torch.onnx.export(
            module,
            (example, example),
            file,
            dynamo=False,  # what the newer exporter makes cannot be quantised
            opset_version=OPSET,
            input_names=list(INPUTS),
            output_names=list(outputs),
            dynamic_axes={
                **dict.fromkeys(INPUTS, axes),
                **{name: {0: "texts"} for name in outputs},
            },
        )


def exported(module: Any, outputs: Sequence[str] = OUTPUTS) -> bytes:
    """The graph that `export` writes."""
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "graph.onnx"
        export(module, file, outputs)
        return file.read_bytes()


def quantised(graph: bytes) -> bytes:
    """The same graph with its matrix products in 8 bits, a fourth of the size."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as made:
        target = Path(made) / "int8.onnx"
        # A scale for each column: with one for a whole matrix, embeddings turn by 18 degrees.
        model = balanced(onnx.load_model_from_string(graph))
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)  # of what could be done before, and changes nothing
        try:
            quantize_dynamic(model, target, weight_type=QuantType.QInt8, per_channel=True)
        finally:
            logging.disable(before)
        return target.read_bytes()


def open_graph(graph: bytes, tokenizer: str, tokens: int = TOKENS, whole: bool = False) -> Run:
    """What takes texts to the graph's outputs, in their order, (n, width) each.

    Each text is run by itself, on one of OMP_NUM_THREADS threads (all cores where that is unset):
    in 8 bits the steps between activations follow the largest one, so that beside others a text
    would say another thing; and nothing is padded. tokenizer: as JSON. tokens: longer ones are cut;
    whole: what is cut off is read too, and the means over the parts by their tokens are given.
    """
    # The threads below are all that there are.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        graph,
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["SkipLayerNormFusion"],  # fused, it takes four times as long
    )
    words = Tokenizer.from_str(tokenizer)
    words.enable_truncation(tokens)
    words.no_padding()  # tokenizers are packed with one of their own

    def part(row: Any) -> list[Any]:
        feed = (row.ids, row.attention_mask)
        return list(
            session.run(None, {n: np.array([x]) for n, x in zip(INPUTS, feed, strict=True)})
        )

    def one(text: str) -> list[Any]:
        row = words.encode(text)
        rows = [row, *row.overflowing] if whole else [row]
        sizes = np.array([len(each.ids) for each in rows]) / sum(len(each.ids) for each in rows)
        parts = zip(*map(part, rows), strict=True)
        return [np.tensordot(sizes, np.stack(each), 1) if whole else each[0] for each in parts]

    walked = _walker()

    def run(texts: Sequence[str]) -> tuple[Floats, ...]:
        found = zip(*walked(one, texts), strict=True)
        return tuple(np.concatenate(each).astype(np.float64) for each in found)

    return run


def _walker() -> Callable[..., Iterable[list[Any]]]:
    threads = int(os.environ.get("OMP_NUM_THREADS", "0")) or len(os.sched_getaffinity(0))
    if threads == 1:
        return map
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(threads).map
