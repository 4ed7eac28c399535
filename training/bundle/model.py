"""What a model is: from windows to answers, and from the files of a bundle to a model. Light.

    @model("linear.json")
    class Linear(Model): ...

A file's name says how it is read; in which form the numbers come, the bundle's manifest says.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, TypeVar

from contracts.expected import Expected
from contracts.registry import Registry
from training.forecast import Floats, Head, Values


class ModelError(Expected, ValueError):
    """A bundle's files hold no model that this code can read."""


class Model(ABC):
    """A fitted model of one head; members are classes under `@model`.

    file: the file that it is known by. method: how `explain` explains, empty where it does not, and
    scale: what that adds up to. A model that looks back on fewer rows than a window has sees the
    last of them; its own window is empty or whole, and no rows give no answers.
    """

    file: ClassVar[str]
    method: ClassVar[str] = ""
    scale: ClassVar[Literal["scores", "answers"]] = "scores"
    head: Head

    @abstractmethod
    def forecast(self, values: Values) -> Floats:
        """Answers (n, width of the head) to windows, float32 (n, window, k), nulls are NaN."""

    @property
    def parts(self) -> Mapping[str, "Model"]:
        """The models that it is made of, each of which explains itself; empty for one alone."""
        return {}

    def explain(self, values: Values, typical: Values) -> Floats | None:  # noqa: ARG002
        """What each feature adds, (n, width, k + 1), the last what is said without any; else None.

        They add up to the scores from which the head makes the answers, or to the answers.
        typical: (window, k), what a model without a start of its own sets out from.
        """
        return None

    def grounds(self, values: Values) -> Sequence[Mapping[str, Any]] | None:  # noqa: ARG002
        """What is to be kept beside each answer to windows (n, window, k), as plain JSON values by
        name; None where the answers say all."""
        return None

    @abstractmethod
    def files(self) -> Mapping[str, bytes]:
        """The model as files, as `read` takes them."""

    @classmethod
    @abstractmethod
    def read(cls, files: Mapping[str, bytes], head: Head) -> Self:
        """The model that `files` wrote."""


MODELS: Registry[type[Model]] = Registry("model", "training.bundle.models")

Member = TypeVar("Member", bound=type[Model])


def model(file: str) -> Callable[[Member], Member]:
    """Declare a class as the model that is known by that file."""

    def declare(member: Member) -> Member:
        member.file = file
        MODELS.add(file, member)
        return member

    return declare


def read(files: Mapping[str, bytes], head: Head) -> Model:
    """The one model that the files hold; raises ModelError."""
    found = [name for name in files if name in MODELS.names()]
    if len(found) != 1:
        raise ModelError(
            f"expected one model file of {MODELS.names()}, found {sorted(found) or 'none'}"
        )
    return MODELS.get(found[0]).read(files, head)


def files_of(files: Mapping[str, bytes], member: str) -> dict[str, bytes]:
    """A member's files within its ensemble's, under the names that they had alone."""
    start = f"{member}/"
    return {n.removeprefix(start): c for n, c in files.items() if n.startswith(start)}
