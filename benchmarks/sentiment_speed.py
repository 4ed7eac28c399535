"""The sentence encoder through torch and through its ONNX graph, in turns in one run.

    python benchmarks/sentiment_speed.py [--texts FILE.parquet] [--count 1000] [--repeats 3]

Texts are headlines of the simulated market, or the column `text` of a Parquet file. "Sorted" means
batches of like length, as the scorer makes them; "unsorted" takes the texts as they come. Threads
are OMP_NUM_THREADS. Prints medians of texts per second, ratios to torch unsorted, and how far the
embeddings of the two are apart at most.
"""

import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import typer

from etl.simulation import news
from training.forecast import Floats
from training.text.encoder import folder, open_encoder, torch_encoder
from training.text.graph import TOKENS
from training.text.scorer import by_length

BATCH = 32


def headlines(count: int) -> list[str]:
    """Sentences of the simulated market with their companies, in random order."""
    templates = (*news.POSITIVE, *news.NEUTRAL, *news.NEGATIVE)
    drawn = [t.format(name=news.company(number)) for number in range(1, 261) for t in templates]
    random.Random(0).shuffle(drawn)
    return drawn[:count]


def by_torch() -> Callable[[Sequence[str]], Floats]:
    """Embeddings by transformers and torch."""
    import torch
    from transformers import AutoTokenizer

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    tokenizer, encoder = AutoTokenizer.from_pretrained(str(folder())), torch_encoder()

    def embed(texts: Sequence[str]) -> Floats:
        options: dict[str, Any] = {"padding": True, "truncation": True, "max_length": TOKENS}
        rows = tokenizer(list(texts), return_tensors="pt", **options)
        with torch.inference_mode():
            found = encoder(rows["input_ids"], rows["attention_mask"]).numpy()
        return np.asarray(found, dtype=np.float64)

    return embed


def as_they_come(texts: Sequence[str]) -> Iterator[tuple[list[int], list[str]]]:
    """Batches in the order of the texts."""
    for start in range(0, len(texts), BATCH):
        part = list(texts[start : start + BATCH])
        yield list(range(start, start + len(part))), part


def compare(texts: Path | None = None, count: int = 1000, repeats: int = 3) -> None:
    """Measure and print."""
    told = headlines(count)
    if texts:
        told = pl.read_parquet(texts)["text"].unique().sample(count, seed=0).to_list()
    with tempfile.TemporaryDirectory() as home:
        os.environ.setdefault("FINPULSE_OBJECTS_URL", home)
        encoders = {"torch": by_torch(), "onnx": open_encoder()}
    orders = {"unsorted": as_they_come, "sorted": by_length}
    ways = [(name, order) for name in encoders for order in orders]
    rates: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
    found = {way: np.empty((len(told), 384)) for way in ways}
    for _ in range(repeats):
        for name, order in ways:
            began = time.perf_counter()
            for rows, part in orders[order](told):
                found[name, order][rows] = encoders[name](part)
            rates[name, order].append(len(told) / (time.perf_counter() - began))
    base = statistics.median(rates[ways[0]])
    for name, order in ways:
        rate = statistics.median(rates[name, order])
        typer.echo(f"{name:<6} {order:<9} {rate:7.0f} texts/s  {rate / base:5.2f}")
    apart = max(np.abs(found[way] - found[ways[0]]).max() for way in ways)
    typer.echo(f"largest difference of an embedding {apart:.1e}")


if __name__ == "__main__":
    typer.run(compare)
