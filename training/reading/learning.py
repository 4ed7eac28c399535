"""The loop that fine-tunes: steps, checks on a source held out, and a state to go on from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from training.forecast import Floats
from training.reading.batches import Lesson, drawn
from training.reading.course import Course
from training.reading.device import Device
from training.reading.reader import floors
from training.reading.scores import counts, macro_f1
from training.reading.state import State, Vault
from training.reading.tokens import Chunks, chunked
from training.text.labelled import ORDER, Labelled
from training.text.scorer import by_length, plain

_DECAY = 0.01  # of weights
_NORM = 1.0  # of gradients
# Checks of an epoch, and how many may pass without a better one before it ends.
CHECKS, PATIENCE = 2, 4
# Texts that a new head begins with.
PROBED = 2000


@dataclass
class Progress:
    """How far a run is: steps done, its best macro-F1 on the held-out source and when, checks since
    then, how many checks are averaged, and the mean loss between checks."""

    step: int = 0
    best: float = -1.0
    best_step: int = 0
    since: int = 0
    averaged: int = 0
    losses: list[float] = field(default_factory=list)
    checks: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Task:
    """What is learnt how: texts, the source that says when to stop, tokens, and the course."""

    learnt: Lesson
    held: Labelled
    tokenizer: Any
    course: Course

    @property
    def weights(self) -> Floats:
        """Of the classes in the loss (3,), 1 in the mean."""
        share = np.bincount(self.learnt.classes, minlength=len(ORDER)) + 1.0
        found = (share.sum() / share) ** self.course.even
        return np.asarray(found / found.mean())


def learn(
    network: Any, task: Task, where: Device, vault: Vault, told: Callable[[Progress], None]
) -> Progress:
    """Fine-tune in place, going on from the vault's state.

    What stays are the mean weights of the checks in the course's last steps; those of the best
    check, where none are averaged or the run ended before them.

    told: called after each check. Each of several workers takes its part of every batch.
    """
    import torch

    order = drawn(task.learnt, task.course)
    groups = rates(network, task.course)
    rate = [group["lr"] for group in groups]
    below = [group.pop("below") for group in groups]
    optimiser = torch.optim.AdamW(groups, weight_decay=_DECAY)
    state = State(network, optimiser, vault, where)
    done = Progress(**state.begin())
    paces = [pace(task.course, len(order), one, max(below)) for one in below]
    every = max(1, round(len(order) / max(1, task.course.epochs * CHECKS)))
    lost = []
    while done.step < len(order) and done.since < PATIENCE:
        for group, base, share in zip(optimiser.param_groups, rate, paces, strict=True):
            group["lr"] = base * share(done.step)
        # By step: who goes on from a state drops what it would have dropped.
        torch.manual_seed(task.course.seed + 1000 * done.step + where.rank)
        mine = order[done.step][where.rank :: where.world]
        lost.append(_step(network, optimiser, task, mine, where))
        done.step += 1
        if done.step % every == 0 or done.step == len(order):
            _check(network, task, where, done, lost)
            counts_for = _share(done, len(order), task.course)
            state.keep(vars(done), counts_for)
            told(done)
            lost = []
    state.choose()
    return done


def _share(done: Progress, steps: int, course: Course) -> float:
    if done.step <= (1 - course.averaged) * steps:
        return float(done.best_step == done.step)
    done.averaged += 1
    return 1 / done.averaged


def probe(network: Any, task: Task, where: Device) -> None:
    """Let a new head begin as the logistic regression on what the encoder makes of some texts.

    From random numbers it would first spoil what the encoder knows (Kumar et al. 2022). A head
    that the checkpoint brought is left as it is.
    """
    if not hasattr(network, "head"):
        return
    import torch
    from sklearn.linear_model import LogisticRegression

    rows = np.unique(drawn(task.learnt, task.course).ravel()[:PROBED])
    seen, classes = list[Floats](), list[int]()
    network.eval()
    with torch.no_grad():
        for places, part in by_length([task.learnt.texts[row] for row in rows]):
            chunks = chunked(task.tokenizer, part)
            logits_of(network, chunks, where)
            seen.append(chunks.pooled(network.pooled.float().cpu().numpy()))
            classes += [int(task.learnt.classes[rows[place]]) for place in places]
    if {*classes} != {*range(len(ORDER))}:
        return
    found = LogisticRegression(max_iter=500).fit(np.concatenate(seen), classes)
    with torch.no_grad():
        network.head.weight.copy_(torch.as_tensor(found.coef_))
        network.head.bias.copy_(torch.as_tensor(found.intercept_))


def _step(network: Any, optimiser: Any, task: Task, rows: Any, where: Device) -> float:
    import torch

    network.train()
    optimiser.zero_grad(set_to_none=True)
    weights = torch.as_tensor(task.weights, dtype=torch.float32, device=where.name)
    rows, lost = sorted(rows, key=lambda row: len(task.learnt.texts[row])), 0.0
    # A batch is as slow as its longest text: without a GPU it is taken in parts of like length.
    for part in np.array_split(rows, min(where.parts, len(rows))):
        texts = [task.learnt.texts[row] for row in part]
        classes = torch.as_tensor(task.learnt.classes[part], device=where.name)
        logits = logits_of(network, chunked(task.tokenizer, texts), where)
        each = torch.nn.functional.cross_entropy(
            logits, classes, weights, reduction="none", label_smoothing=task.course.smoothing
        )
        loss: Any = each.sum() / len(rows)
        loss.backward()
        lost += float(loss.detach())
    torch.nn.utils.clip_grad_norm_(network.parameters(), _NORM)
    optimiser.step()
    return lost


def _check(network: Any, task: Task, where: Device, done: Progress, lost: list[float]) -> None:
    found = said(network, task.tokenizer, task.held.texts, where)
    classes = np.array(task.held.classes)
    reached = float(macro_f1(counts(classes, found.argmax(axis=1))))
    done.checks.append(reached)
    done.losses.append(where.mean(float(np.mean(lost))))
    done.since += 1
    if reached > done.best:
        done.best, done.best_step, done.since = reached, done.step, 0


def rates(network: Any, course: Course) -> list[dict[str, Any]]:
    """Groups for an optimiser, lowest floor first; the frozen ones are put to sleep for good.

    below: how far a floor lies under the head.
    """
    found, groups = floors(network), list[dict[str, Any]]()
    for height, floor in enumerate(found):
        below = len(found) - 1 - height
        asleep = bool(course.frozen) and height <= course.frozen and below > 0
        if asleep:
            for _, parameter in floor:
                parameter.requires_grad_(False)
        elif awake := [p for _, p in floor if p.requires_grad]:
            rate = course.rate * course.decay ** max(0, below - 1)
            groups.append({"params": awake, "lr": rate, "below": below})
    return groups


def pace(course: Course, steps: int, below: int, deepest: int) -> Callable[[int], float]:
    """The share of its rate at which a floor learns, by step: none while it is asleep, then up over
    the warm-up, and down to nothing."""
    wakes = course.thaw * steps * below / max(1, deepest)
    warm = course.warmup * steps

    def share(step: int) -> float:
        if step < wakes:
            return 0.0
        return min(1.0, (step + 1) / warm if warm else 1.0) * max(0.0, 1 - step / steps)

    return share


def logits_of(network: Any, chunks: Chunks, where: Device) -> Any:
    """Logits (texts, 3), those of chunks by their share of the text, with their gradients."""
    import torch

    ids, mask, owner = (
        torch.as_tensor(part, device=where.name) for part in (chunks.ids, chunks.mask, chunks.owner)
    )
    share = torch.as_tensor(chunks.share, dtype=torch.float32, device=where.name)
    with where.cast():
        found, _ = network(ids, mask)
    whole = torch.zeros((int(chunks.owner[-1]) + 1, len(ORDER)), device=where.name)
    return whole.index_add(0, owner, found.float() * share[:, None])


def said(network: Any, tokenizer: Any, texts: Sequence[str], where: Device) -> Floats:
    """Logits (n, 3) of texts."""
    import torch

    network.eval()
    found = np.empty((len(texts), len(ORDER)))
    with torch.no_grad():
        for rows, part in by_length([plain(text) for text in texts]):
            found[rows] = logits_of(network, chunked(tokenizer, part), where).cpu().numpy()
    return found


def temperature(logits: Floats, classes: Sequence[int]) -> float:
    """What logits are divided by so that their log loss is least (Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    rows, known = np.arange(len(classes)), np.array(classes)

    def loss(log: float) -> float:
        return -float(log_softmax(logits / np.exp(log), axis=1)[rows, known].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded").x))
