"""What is learnt from: texts of several sources, and the order in which they are drawn."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.reading.course import Course
from training.text.labelled import Labelled
from training.text.scorer import plain


@dataclass(frozen=True)
class Lesson:
    """Texts as models read them, their classes (n,), and the places of each source's texts."""

    texts: tuple[str, ...]
    classes: NDArray[np.int64]
    sources: tuple[NDArray[np.int64], ...]


def letters(text: str) -> str:
    """What two texts have in common that say the same in other signs."""
    return re.sub(r"[^a-z0-9]", "", plain(text).lower())


def lesson(sets: Sequence[Labelled], apart: Iterable[Labelled] = ()) -> Lesson:
    """Texts of the sets, each once; those under two labels and those that `apart` holds too are
    left out."""
    told = {letters(text) for one in apart for text in one.texts}
    labels: dict[str, set[int]] = {}
    for one in sets:
        for text, place in zip(one.texts, one.classes, strict=True):
            labels.setdefault(letters(text), set()).add(place)
    seen = told | {text for text, found in labels.items() if len(found) > 1} | {""}
    texts, classes, sources = list[str](), list[int](), list[NDArray[np.int64]]()
    for one in sets:
        begin = len(texts)
        for text, place in zip(one.texts, one.classes, strict=True):
            if (named := letters(text)) not in seen:
                seen.add(named)
                texts.append(plain(text))
                classes.append(place)
        sources.append(np.arange(begin, len(texts)))
    kept = tuple(one for one in sources if len(one))
    return Lesson(tuple(texts), np.array(classes, np.int64), kept)


def drawn(learnt: Lesson, course: Course) -> NDArray[np.int64]:
    """Places of the texts of every batch (steps, batch), the same for the same seed.

    A source's texts all come before one comes again.
    """
    random = np.random.default_rng(course.seed)
    steps = max(1, round(course.epochs * len(learnt.texts) / course.batch))
    sizes = np.array([len(one) for one in learnt.sources], float)
    chances = sizes ** (1 - course.balance)
    whose = random.choice(len(sizes), steps * course.batch, p=chances / chances.sum())
    places = np.empty(len(whose), np.int64)
    for number, source in enumerate(learnt.sources):
        wanted = np.flatnonzero(whose == number)
        rounds = -(-len(wanted) // len(source)) if len(wanted) else 0
        order = [random.permutation(source) for _ in range(rounds)]
        places[wanted] = np.concatenate(order)[: len(wanted)] if order else 0
    return places.reshape(steps, course.batch)
