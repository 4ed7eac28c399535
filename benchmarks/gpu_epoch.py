"""One epoch of fine-tuning the offline encoder on our own texts, and how fast it then reads.

    python benchmarks/gpu_epoch.py [--strategy ddp|fsdp] [--score]

On FINPULSE_DEVICE, in bfloat16 where that is a GPU. The texts are few: each is learnt ten times.
"""

import time
from typing import Annotated

import numpy as np
import typer

from contracts.settings import settings
from training.finetune.workers import Spread, learn_spread
from training.reading.batches import lesson
from training.reading.course import Course
from training.reading.device import device
from training.reading.learning import Task, learn, logits_of, probe
from training.reading.reader import base, build
from training.reading.state import Vault
from training.reading.tokens import chunked, opened
from training.text.sets.corpus import texts_of

ROUNDS = 10


def score(task: Task, network: object, name: str) -> None:
    """Print texts per second at several batches, on the network's device."""
    import torch

    where = device(settings().device)
    texts = list(task.held.texts)
    for batch in (1, 8, 64):
        seconds = []
        with torch.inference_mode():
            for start in range(0, batch * 30, batch):
                part = [texts[i % len(texts)] for i in range(start, start + batch)]
                began = time.perf_counter()
                logits_of(network, chunked(task.tokenizer, part), where).cpu()
                seconds.append(time.perf_counter() - began)
        p50, p95 = np.quantile(seconds[5:], [0.5, 0.95])
        typer.echo(
            f"{name} batch {batch}: p50 {p50 * 1e3:.2f} ms, p95 {p95 * 1e3:.2f} ms, "
            f"{batch / p50:.0f} texts/s"
        )


def main(
    strategy: Annotated[str, typer.Option(help="ddp, fsdp; default: in this process")] = "",
    scored: Annotated[bool, typer.Option("--score", help="read only")] = False,
) -> None:
    """Learn for an epoch, or read."""
    where, known = device(settings().device), base("minilm")
    course = Course(epochs=ROUNDS)
    sets = [texts_of(name) for name in ("sentences", "headlines")]
    task = Task(lesson(sets), texts_of("posts"), opened(known.tokenizer, course.length), course)
    network = build(known, course).to(where.name)
    if scored:
        score(task, network.eval(), where.name)
        return
    began = time.monotonic()
    if strategy:
        spread = Spread(where, 1, "fsdp" if strategy == "fsdp" else "ddp")
        done = learn_spread(known, task, Vault("gpu_epoch.safetensors"), spread, lambda _: None)
    else:
        probe(network, task, where)
        done = learn(network, task, where, Vault(), lambda _: None)
    seconds, seen = time.monotonic() - began, done.step * course.batch
    typer.echo(
        f"{where.name} {strategy or 'alone'}: {seen} texts in {seconds:.1f} s, "
        f"{seen / seconds:.0f} a second, start included; macro-F1 on posts {done.best:.3f}"
    )


if __name__ == "__main__":
    typer.run(main)
