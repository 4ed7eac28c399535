"""The step `fit`: the chosen course is learnt, here or by several workers, and the model kept."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from contracts import objects
from contracts.store import Store
from training.finetune.life import Life, Told
from training.finetune.workers import Spread, learn_spread
from training.reading.batches import lesson
from training.reading.course import Course
from training.reading.device import Device
from training.reading.learning import Progress, Task, learn, probe, said, temperature
from training.reading.reader import Base, base, build
from training.reading.scores import counts, macro_f1
from training.reading.state import Vault, best
from training.reading.tokens import opened
from training.run.tracking import Run, step
from training.text.graph import exported, quantised
from training.text.sets.seen import learnt_by
from training.text.tuned import GRAPH, TOKENIZER, Kept, keep


def task_of(life: Life, known: Base, course: Course) -> Task:
    """What the life's network learns by that course."""
    sets = life.sets
    learnt = [sets[name] for name in life.learn]
    apart = [sets[name] for name in (life.stop, *life.held)]
    course = replace(course, length=min(course.length, known.longest))
    tokenizer = opened(known.tokenizer, course.length)
    return Task(lesson(learnt, apart), sets[life.stop], tokenizer, course)


def chosen(life: Life) -> Course:
    """The course that `tune` found best, or the life's own where nothing is searched."""
    if life.trials < 2:
        return life.course
    return replace(life.course, **life.require("tune")["best"])


def fit(store: Store, life: Life, spread: Spread, told: Told) -> dict[str, Any]:
    """Fine-tune, keep the model in the object store, and leave its version.

    Killed on its way, it goes on from its last check. What is kept already is used again.
    """
    if kept := life.found("fit"):
        told(f"{kept['version']} is kept already and used again")
        return kept
    course, known = chosen(life), base(life.checkpoint)
    task, vault = task_of(life, known, course), Vault(life.key("state.safetensors"))
    with step(store, life, "fit") as run:
        run.log(task.course.values() | {"texts": len(task.learnt.texts)})
        network, done = _learnt(known, task, vault, spread, _told(run, told))
        done_as = {"checks": done.checks, "losses": done.losses}
        found = _kept(life, network, task) | {"course": task.course.values()} | done_as
        run.log(metrics={"stop_macro_f1": found["best"]})
        run.tag({"bundle": found["version"]})
        life.leave("fit", found)
        objects.remove(vault.key)
    return found


def _learnt(
    known: Base, task: Task, vault: Vault, spread: Spread, told: Callable[[Progress], None]
) -> tuple[Any, Progress]:
    network = build(known, task.course).to(spread.here.name)
    if not spread.apart:
        if vault.read() is None:
            probe(network, task, spread.here)
        return network, learn(network, task, spread.here, vault, told)
    done = learn_spread(known, task, vault, spread, told)
    best(network, vault)
    return network, done


def _told(run: Run, told: Told) -> Callable[[Progress], None]:
    def tell(done: Progress) -> None:
        reached = {"loss": done.losses[-1], "stop_macro_f1": done.checks[-1]}
        run.log(metrics=reached, step=done.step)
        told(f"step {done.step}: loss {reached['loss']:.4f}, macro-F1 {done.checks[-1]:.3f}")

    return tell


def _kept(life: Life, network: Any, task: Task) -> dict[str, Any]:
    network = network.cpu().eval()
    logits = said(network, task.tokenizer, task.held.texts, Device())
    cooled = temperature(logits, task.held.classes)
    # Of the weights that stay: those of no check, where several are averaged.
    reached = float(macro_f1(counts(np.array(task.held.classes), logits.argmax(axis=1))))
    files = {
        GRAPH: quantised(exported(network)),
        TOKENIZER: task.tokenizer.to_str().encode(),
    }
    newest = [
        str(one.newest) for name, one in life.sets.items() if one.newest and name in life.learn
    ]
    kept = Kept(
        checkpoint=life.checkpoint,
        learnt=tuple(sorted({*life.learn, life.stop, *learnt_by(life.checkpoint)})),
        temperature=cooled,
        length=task.course.length,
        files={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        about={"life": life.name, "course": task.course.values()},
        trained_until=max(newest, default=""),
    )
    return {"version": keep(kept, files), "temperature": cooled, "best": reached}
