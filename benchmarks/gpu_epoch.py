"""One epoch of fine-tuning the offline encoder on our own texts, and how fast it then reads.

    python benchmarks/gpu_epoch.py [--strategy ddp|fsdp] [--score] [--half] [--rounds N] [--texts N]

On FINPULSE_DEVICE, in bfloat16 where that is a GPU or with --half. The texts are few: each is
learnt as often as there are rounds.
"""

import time
from dataclasses import replace
from typing import Annotated

import numpy as np
import typer

from contracts.settings import settings
from training.finetune.workers import Spread, learn_spread
from training.reading.batches import lesson
from training.reading.course import Course
from training.reading.device import Device, device
from training.reading.learning import Task, learn, logits_of, probe
from training.reading.reader import base, build
from training.reading.state import Vault
from training.reading.tokens import chunked, opened
from training.text.labelled import Labelled
from training.text.sets.corpus import texts_of

# Batches that are timed, after those in which all is loaded.
TURNS, UNTIMED = 30, 2


def evenly(known: Labelled, most: int) -> Labelled:
    """As many of the texts, taken evenly."""
    count = len(known.texts)
    rows = np.linspace(0, count - 1, min(most, count)).round().astype(int)
    parts = (known.texts, known.classes, known.groups)
    return Labelled(known.origin, *(tuple(part[row] for row in rows) for part in parts))


def score(task: Task, network: object, where: Device, turns: int) -> None:
    """Print texts per second at several batches."""
    import torch

    texts = list(task.held.texts)
    for batch in (1, 8, 64):
        seconds = []
        with torch.inference_mode():
            for start in range(0, batch * (UNTIMED + turns), batch):
                part = [texts[i % len(texts)] for i in range(start, start + batch)]
                began = time.perf_counter()
                logits_of(network, chunked(task.tokenizer, part), where).cpu()
                seconds.append(time.perf_counter() - began)
        p50, p95 = np.quantile(seconds[UNTIMED:], [0.5, 0.95])
        typer.echo(
            f"{where.name} batch {batch}: p50 {p50 * 1e3:.2f} ms, p95 {p95 * 1e3:.2f} ms, "
            f"{batch / p50:.0f} texts/s"
        )


def main(
    strategy: Annotated[str, typer.Option(help="ddp, fsdp; default: in this process")] = "",
    scored: Annotated[bool, typer.Option("--score", help="read only")] = False,
    half: Annotated[bool, typer.Option("--half", help="bfloat16 on a processor too")] = False,
    rounds: Annotated[int, typer.Option(min=1, help="how often each text is learnt")] = 10,
    most: Annotated[int, typer.Option("--texts", min=3, help="of each set, and batches")] = 1000,
) -> None:
    """Learn for an epoch, or read."""
    where, known = device(settings().device), base("minilm")
    where = replace(where, half=half or where.half)
    course = Course(epochs=rounds)
    sets = [evenly(texts_of(name), most) for name in ("sentences", "headlines")]
    task = Task(
        lesson(sets),
        evenly(texts_of("posts"), most),
        opened(known.tokenizer, course.length),
        course,
    )
    network = build(known, course).to(where.name)
    if scored:
        score(task, network.eval(), where, min(TURNS, most))
        return
    began = time.monotonic()
    if strategy:
        spread = Spread(where, 1, "fsdp" if strategy == "fsdp" else "ddp")
        done = learn_spread(known, task, Vault("gpu_epoch.safetensors"), spread, lambda _: None)
    else:
        probe(network, task, where)
        done = learn(network, task, where, Vault(), lambda _: None)
    seconds, seen = time.monotonic() - began, done.step * course.batch
    form = "bfloat16" if where.half else "float32"
    typer.echo(
        f"{where.name} {strategy or 'alone'} {form}: {seen} texts in {seconds:.1f} s, "
        f"{seen / seconds:.0f} a second, start included; macro-F1 on posts {done.best:.3f}"
    )


if __name__ == "__main__":
    typer.run(main)
