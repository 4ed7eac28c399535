"""Our own labelled texts, in three kinds of writing: each can be held out for the others."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from training.text.labelled import Labelled, filled
from training.text.phrases import TEMPLATES
from training.text.sets.corpus import corpus
from training.text.sets.posts import POSTS

_OURS = "ours, as this repository"


@corpus(_OURS)
def sentences(folder: Path) -> Labelled:  # noqa: ARG001
    """Whole sentences, of news and filings."""
    return _of(part for part in _sorted(ended=True))


@corpus(_OURS)
def headlines(folder: Path) -> Labelled:  # noqa: ARG001
    """Lines without a full stop, as news are headed."""
    return _of(part for part in _sorted(ended=False))


@corpus(_OURS)
def posts(folder: Path) -> Labelled:  # noqa: ARG001
    """Short posts about shares."""
    return _of(POSTS)


def _sorted(ended: bool) -> Iterable[Sequence[str]]:
    return ([text for text in part if text.endswith(".") == ended] for part in TEMPLATES)


def _of(templates: Iterable[Sequence[str]]) -> Labelled:
    return filled(tuple(templates))
