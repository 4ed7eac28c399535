"""One life of a text model: what it is asked to be, and what its steps leave for each other."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from contracts import objects
from contracts.champion import SENTIMENT
from contracts.expected import Expected
from contracts.settings import settings
from training.office.package import TEXTS
from training.reading.course import Course
from training.run import records
from training.text.checkpoint import held_in
from training.text.labelled import Labelled
from training.text.sets.corpus import CorpusMissing, known, texts_of
from training.text.sets.seen import learnt_by

Told = Callable[[str], None]


class SeenBefore(Expected, ValueError):
    """A set would test what has learnt from it; the message names both."""


@dataclass(frozen=True)
class Life:
    """What is learnt from which sets, when to stop, and on which it is judged.

    learn: labelled sets by name. stop: the one that says when to stop, and the temperature. held:
    those that nobody in the contest may have learnt from. checkpoint: what is fine-tuned. course:
    where a search begins. trials: how many courses are tried; 1 searches nothing.
    """

    learn: tuple[str, ...]
    stop: str
    held: tuple[str, ...]
    checkpoint: str
    course: Course = Course()
    trials: int = 1

    def __post_init__(self) -> None:
        """Refuse sets that would test what they taught; raises SeenBefore, CorpusMissing."""
        if not (self.learn and self.held):
            raise CorpusMissing("expected a set or more in --learn and in --held, found none")
        unseen(self.held, {*self.learn, self.stop}, "this life")
        unseen((self.stop,), {*self.learn}, "this life")
        unseen((*self.held, self.stop), learnt_by(self.checkpoint), self.checkpoint)

    @cached_property
    def sets(self) -> Mapping[str, Labelled]:
        """All its labelled sets by name; raises CorpusMissing, LabelledTextError."""
        return {name: texts_of(name) for name in (*self.learn, self.stop, *self.held)}

    @property
    def universe(self) -> str:
        """The name of the experiment of all such runs."""
        return TEXTS

    @cached_property
    def name(self) -> str:
        """Names it by all that decides what comes of it: the same again is the same life."""
        digests = {name: one.digest for name, one in self.sets.items()}
        place = Path(self.checkpoint)
        base = held_in(place) if place.is_dir() else self.checkpoint
        asked = [self.learn, self.stop, self.held, base, self.trials]
        content = orjson.dumps([asked, digests, self.course.values()])
        return f"{TEXTS}-{hashlib.sha256(content).hexdigest()[:12]}"

    @property
    def title(self) -> str:
        """As people see it in MLflow."""
        return f"{self.checkpoint} on {', '.join(self.learn)}"

    @property
    def parameters(self) -> dict[str, Any]:
        """What each of its runs logs; `target` keeps its trials apart from those of markets."""
        sets = {"learn": ",".join(self.learn), "stop": self.stop, "held": ",".join(self.held)}
        return {"target": SENTIMENT.target, "checkpoint": self.checkpoint, **sets}

    def key(self, name: str) -> str:
        """Where in the object store one of its files lies."""
        return f"finetunes/{self.name}/{name}"

    def found(self, step: str) -> dict[str, Any] | None:
        """What a step left, None before it ran."""
        key = self.key(f"{step}.json")
        return records.read(key) if objects.exists(key) else None

    def require(self, step: str) -> dict[str, Any]:
        """What a step left; raises StepMissing naming it."""
        return records.read(self.key(f"{step}.json"), f"finetune {step}")

    def leave(self, step: str, fields: Mapping[str, Any]) -> None:
        """Leave what a step found for those after it."""
        records.write(self.key(f"{step}.json"), fields)


def unseen(tests: tuple[str, ...], learnt: set[str] | tuple[str, ...], who: str) -> None:
    """Refuse sets as tests of what learnt from them; raises SeenBefore."""
    if both := sorted({*tests} & {*learnt}):
        raise SeenBefore(
            f"{', '.join(both)} can be no test: {who} learnt from it; hold another set out"
        )


def words(names: str) -> tuple[str, ...]:
    """Names between commas."""
    return tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))


def data(life: Life, told: Told) -> dict[str, Any]:
    """The step `data`: read every set, tell its licence, and leave sizes by name."""
    sizes = {}
    for name in life.sets:
        one = texts_of(name, told)
        sizes[name] = {
            "texts": len(one.texts),
            "licence": known(name).licence,
            "newest": str(one.newest or ""),
            "sha256": one.digest,
        }
    life.leave("data", sizes)
    return sizes


def checkpoint() -> str:
    """What the settings say is fine-tuned."""
    return settings().text_checkpoint
