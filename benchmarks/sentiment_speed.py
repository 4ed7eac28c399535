"""The sentence encoder in torch and as graphs in 32 and 8 bits: speed, and what 8 bits cost.

    python benchmarks/sentiment_speed.py [--device cpu|cuda] [--texts FILE.parquet] [--count 600]
        [--labels FOLDER] [--price 1.0] [--clock whole|spark]

Texts are headlines of the simulated market, or the column `text` of a Parquet file, in batches of
like length. The ways take turns, batch by batch, on one thread; times are those of the process on
its processor (of the clock on cuda), so that what runs beside it counts little. Prints for each
batch size the median and the 95th percentile of a call, texts per second beside torch's in 32 bits,
and what a million texts cost at a price per hour of the machine. --labels: a folder of labelled
texts (FINPULSE_TEXT_LABELS), of which a fifth by hash judges heads that are fitted on the rest in
32 and in 8 bits. --clock whole: all texts of the file by OMP_NUM_THREADS threads; --clock spark:
that many of them in this process and inside Spark, whose start is told apart, in turns.
"""

import hashlib
import os
import random
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
import typer

from etl.simulation import news
from training.forecast import Floats
from training.text.encoder import folder, torch_encoder
from training.text.graph import EMBEDDING, TOKENS, exported, open_graph, quantised
from training.text.head import fit
from training.text.labelled import Labelled, labelled
from training.text.scorer import by_length

BATCHES = (1, 8, 64)
TORCH = "torch 32"
Embed = Callable[[Sequence[str]], Floats]


class Clock(StrEnum):
    """What is timed by the clock of the wall."""

    WHOLE = "whole"
    SPARK = "spark"


def headlines(count: int) -> list[str]:
    """Sentences of the simulated market with their companies, in random order."""
    templates = (*news.POSITIVE, *news.NEUTRAL, *news.NEGATIVE)
    drawn = [t.format(name=news.company(number)) for number in range(1, 261) for t in templates]
    random.Random(0).shuffle(drawn)
    return drawn[:count]


def by_torch(device: str, half: bool = False) -> Embed:
    """Embeddings by transformers and torch; half: in bfloat16."""
    import torch
    from transformers import AutoTokenizer

    torch.set_num_threads(1)
    tokenizer, encoder = AutoTokenizer.from_pretrained(str(folder())), torch_encoder().to(device)

    def embed(texts: Sequence[str]) -> Floats:
        options: dict[str, Any] = {"padding": True, "truncation": True, "max_length": TOKENS}
        rows = tokenizer(list(texts), return_tensors="pt", **options).to(device)
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=half):
            found = encoder(rows["input_ids"], rows["attention_mask"]).float().cpu().numpy()
        return np.asarray(found, dtype=np.float64)

    return embed


def by_graphs() -> dict[str, Embed]:
    """The graphs, in 32 and in 8 bits, on one thread."""
    graph, words = exported(torch_encoder(), EMBEDDING), (folder() / "tokenizer.json").read_text()
    runs = {f"onnx {n}": open_graph(g, words) for n, g in ((32, graph), (8, quantised(graph)))}
    return {name: lambda texts, run=run: run(texts)[0] for name, run in runs.items()}


def batches(texts: list[str], size: int) -> list[list[str]]:
    """Batches of like length in random order."""
    order = sorted(texts, key=len)
    found = [order[start : start + size] for start in range(0, len(order), size)]
    random.Random(0).shuffle(found)
    return found


def timed(
    ways: dict[str, Embed], parts: Sequence[list[str]], clock: Callable[[], float]
) -> dict[str, Floats]:
    """Seconds of each call, by way; one call of each before that is not counted."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for place, part in enumerate([parts[0], *parts]):
        for name, embed in ways.items():
            began = clock()
            embed(part)
            if place:
                took[name].append(clock() - began)
    return {name: np.array(each) for name, each in took.items()}


def table(ways: dict[str, Embed], texts: list[str], device: str, price: float) -> None:
    """Print a row per batch size and way."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    typer.echo("| batch | way | p50 ms | p95 ms | texts/s | to torch | per million texts |")
    typer.echo("|---|---|---|---|---|---|---|")
    for size in BATCHES:
        took = timed(ways, batches(texts, size), clock)
        base = took[TORCH].sum()
        for name, each in took.items():
            middle, high = 1e3 * np.quantile(each, (0.5, 0.95))
            rate = len(texts) / each.sum()
            cost = 1e6 / rate / 3600 * price
            typer.echo(
                f"| {size} | {name} | {middle:.1f} | {high:.1f} | {rate:.0f} | "
                f"{base / each.sum():.2f} | {cost:.2f} |"
            )


def judged(embed: Embed, known: Labelled) -> tuple[float, Floats]:
    """Macro-F1 on a fifth of the texts, by hash, of a head fitted on the rest; and what it says."""
    from sklearn.metrics import f1_score

    held = np.array([hashlib.sha256(t.encode()).digest()[0] % 5 == 0 for t in known.texts])
    rest = np.flatnonzero(~held)
    taught = Labelled(
        known.origin,
        *(tuple(x[i] for i in rest) for x in (known.texts, known.classes, known.groups)),
    )
    head = fit(taught, embed)
    asked = [known.texts[i] for i in np.flatnonzero(held)]
    found = np.empty((len(asked), 384))
    for rows, part in by_length(asked):
        found[rows] = embed(part)
    said = (found @ np.array(head["weights"]).T + np.array(head["bias"])).argmax(axis=1)
    return float(f1_score(np.array(known.classes)[held], said, average="macro")), said


def whole_by_clock(told: list[str]) -> None:
    """Print how long all texts take by as many threads as OMP_NUM_THREADS says."""
    from training.text.named import model

    scorer, order = model("minilm", None), sorted(told, key=len)
    scorer.read(told[:2])
    began = time.perf_counter()
    for start in range(0, len(order), 1000):
        scorer.read(order[start : start + 1000])
    took = time.perf_counter() - began
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    typer.echo(f"{len(told)} texts in {took:.1f} s by {threads} threads")


def beside_spark(told: list[str]) -> None:
    """Print how long the texts take in this process and inside Spark, three turns of each."""
    from training.text.history.spread import spread
    from training.text.named import model

    scorer = model("minilm", None)
    scorer.read(told[:2])
    began, here, there = time.perf_counter(), [], []
    with spread(iter([scorer])) as inside:
        [spread_out] = inside
        spread_out.read(told[:2])
        start = time.perf_counter() - began
        for _ in range(3):
            for one, took in ((scorer, here), (spread_out, there)):
                began = time.perf_counter()
                one.read(told)
                took.append(time.perf_counter() - began)
    first, second = np.median(here), np.median(there)
    typer.echo(
        f"{len(told)} texts in {first:.1f} s in process by {os.environ.get('OMP_NUM_THREADS')} "
        f"threads, in {second:.1f} s inside Spark ({second / first:.2f}), whose start took "
        f"{start:.1f} s"
    )


def compare(
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    texts: Annotated[Path | None, typer.Option(help="Parquet with a column text")] = None,
    count: int = 600,
    labels: Annotated[Path | None, typer.Option(help="folder of labelled texts")] = None,
    price: Annotated[float, typer.Option(help="of an hour of the machine")] = 1.0,
    clock: Annotated[Clock | None, typer.Option(help="all texts, or inside Spark")] = None,
) -> None:
    """Measure and print."""
    told = pl.read_parquet(texts)["text"].unique().to_list() if texts else headlines(10**6)
    some = random.Random(0).sample(told, min(count, len(told)))
    if clock:
        whole_by_clock(told) if clock is Clock.WHOLE else beside_spark(some)
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    ways = {TORCH: by_torch(device)}
    if device == "cuda":
        ways["torch bf16"] = by_torch(device, half=True)
    ways |= by_graphs()
    table(ways, some, device, price)
    if labels:
        known = labelled(labels)
        scores = {name: judged(embed, known) for name, embed in by_graphs().items()}
        (whole_f1, one), (small_f1, other) = scores.values()
        typer.echo(
            f"{known.origin}: macro-F1 {whole_f1:.4f} in 32 bits, {small_f1:.4f} in 8 "
            f"({small_f1 - whole_f1:+.4f}); the same class for {np.mean(one == other):.1%}"
        )


if __name__ == "__main__":
    typer.run(compare)
