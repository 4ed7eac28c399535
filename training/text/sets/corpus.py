"""What a labelled set of texts is: one `Corpus` each, read from where its owner put it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from contracts.expected import Expected
from contracts.registry import Registry
from contracts.settings import settings
from training.text.labelled import Labelled, labelled

Read: TypeAlias = Callable[[Path], Labelled]


class CorpusMissing(Expected, LookupError):
    """A labelled set is not there, or may not be used yet; the message says what to do."""


@dataclass(frozen=True)
class Corpus:
    """A set of labelled texts and its licence.

    folder: its name below FINPULSE_TEXT_DATA; empty for what is packaged. ask: whether its licence
    has to be accepted by name in FINPULSE_TEXT_LICENCES before it is read.
    """

    name: str
    read: Read
    licence: str
    folder: str = ""
    ask: bool = False


CORPORA: Registry[Corpus] = Registry("labelled set", "training.text.corpora")


def corpus(
    licence: str, folder: str = "", *, name: str = "", ask: bool = False
) -> Callable[[Read], Read]:
    """Declare the labelled set that the decorated function reads, under the function's name."""

    def declare(read: Read) -> Read:
        known = name or read.__name__
        CORPORA.add(known, Corpus(known, read, licence, folder, ask))
        return read

    return declare


def known(name: str) -> Corpus:
    """The declared set of that name, or a folder below FINPULSE_TEXT_DATA in the `files` layout.

    Raises CorpusMissing.
    """
    if name in CORPORA.names():
        return CORPORA.get(name)
    if (place := settings().text_data) and (place / name).is_dir():
        return Corpus(name, labelled, "as its owner says", name)
    raise CorpusMissing(
        f"no labelled set is named {name!r}: expected {', '.join(CORPORA.names())}, or a folder "
        f"below FINPULSE_TEXT_DATA ({place or 'unset'}) with .csv or .parquet files of text and "
        "label"
    )


def texts_of(name: str, told: Callable[[str], None] | None = None) -> Labelled:
    """The texts of that set with its name as their origin; told: called with its licence.

    Raises CorpusMissing, LabelledTextError.
    """
    asked = known(name)
    accepted = {part.strip() for part in settings().text_licences.split(",")}
    if asked.ask and name not in accepted:
        raise CorpusMissing(
            f"{name} may be used under its licence alone: {asked.licence}. Read it, and accept it "
            f"by FINPULSE_TEXT_LICENCES={name} (names between commas)"
        )
    place = settings().text_data
    if asked.folder and (place is None or not (place / asked.folder).is_dir()):
        raise CorpusMissing(
            f"{name} is not packaged: expected the folder {asked.folder!r} below "
            f"FINPULSE_TEXT_DATA, which is {place or 'unset'}: put the set there"
        )
    found = asked.read((place or Path()) / asked.folder)
    if told:
        told(f"{name}: {len(found.texts)} texts, licence: {asked.licence}")
    return Labelled(name, found.texts, found.classes, found.groups, found.newest)
