"""Fine-tuned text models as the object store keeps them: a graph, its tokenizer, what they are."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from contracts import objects
from training.text.graph import open_graph
from training.text.labelled import ORDER
from training.text.scorer import Batch, Read, Scorer, digest, gone

TUNED = "tuned"
MODEL, GRAPH, TOKENIZER, CARD = "model.json", "graph.onnx", "tokenizer.json", "card.md"


@dataclass(frozen=True)
class Kept:
    """What a fine-tuned model says of itself.

    learnt: the labelled sets that it or its checkpoint learnt from or was stopped by: none of them
    can ever test it. trained_until: the newest of its dated texts, as a day; texts that were known
    by then are not scored by it. files: SHA-256 by name. treatment: of texts before it reads them.
    """

    checkpoint: str
    learnt: tuple[str, ...]
    temperature: float
    length: int
    files: Mapping[str, str]
    about: Mapping[str, Any] = field(default_factory=dict)
    trained_until: str = ""
    order: tuple[str, ...] = ORDER
    treatment: str = field(default_factory=digest)

    @property
    def version(self) -> str:
        """Names it by its content."""
        content = orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS)
        return f"{TUNED}-{hashlib.sha256(content).hexdigest()[:12]}"

    @classmethod
    def parse(cls, content: bytes) -> "Kept":
        """What `keep` wrote."""
        told = orjson.loads(content)
        lists = {name: tuple(told[name]) for name in ("learnt", "order")}
        return cls(**{**told, **lists})


def key(version: str, name: str) -> str:
    """Where in the object store a file of a version lies."""
    return f"sentiment/{version}/{name}"


def keep(found: Kept, files: Mapping[str, bytes]) -> str:
    """Keep a model with its files, `model.json` last: it is there once all is; its version."""
    for name, content in files.items():
        objects.put(key(found.version, name), content)
    objects.put(key(found.version, MODEL), orjson.dumps(asdict(found)))
    return found.version


def told(version: str) -> Kept:
    """What the model of that version says of itself; raises TextModelGone."""
    if not objects.exists(key(version, MODEL)):
        raise gone(version, f"there is no {key(version, MODEL)} in the object store")
    found = Kept.parse(objects.get(key(version, MODEL)))
    if found.version != version or found.treatment != digest():
        what = "another model" if found.version != version else "one of another treatment of texts"
        raise gone(version, f"{key(version, MODEL)} is of {what}")
    return found


def kept(version: str) -> Scorer:
    """The fine-tuned model of that version; raises TextModelGone."""
    found = told(version)
    return Scorer(version, lambda: _load(version, found), embeds=True, trained_until=until(found))


def require_whole(version: str) -> None:
    """Raise TextModelGone unless its files are those that were kept; nothing of them is run."""
    for name, wanted in told(version).files.items():
        held = key(version, name)
        if not objects.exists(held) or hashlib.sha256(objects.get(held)).hexdigest() != wanted:
            raise gone(version, f"its {name} is not the one that was kept")


def until(found: Kept) -> datetime | None:
    """The moment by which the newest of its dated texts was known: the end of its day, UTC."""
    if not found.trained_until:
        return None
    return datetime.combine(date.fromisoformat(found.trained_until), time.max, UTC)


def _load(version: str, found: Kept) -> Batch:
    files = {name: objects.get(key(version, name)) for name in (GRAPH, TOKENIZER)}
    return reading(version, found, files)


def of_folder(place: Path) -> Batch:
    """A model whose files were copied into a folder; raises TextModelGone."""
    found = Kept.parse((place / MODEL).read_bytes())
    files = {name: (place / name).read_bytes() for name in (GRAPH, TOKENIZER)}
    return reading(found.version, found, files)


def reading(version: str, found: Kept, files: Mapping[str, bytes]) -> Batch:
    """What reads texts by these files, which must be those that the model names."""
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != found.files[name]:
            raise gone(version, f"its {name} is not the one that was kept")
    run = open_graph(files[GRAPH], files[TOKENIZER].decode(), found.length, whole=True)

    def read(texts: list[str]) -> Read:
        logits, embeddings = run(texts)
        sizes = np.linalg.norm(embeddings, axis=1, keepdims=True)
        return Read.of_logits(logits / found.temperature, embeddings / np.maximum(sizes, 1e-12))

    return read
