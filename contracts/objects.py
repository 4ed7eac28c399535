"""The object store: files that do not belong in a table (matrices, bundles, reports)."""

from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from contracts.expected import Expected
from contracts.settings import settings

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


class ObjectMissing(Expected, FileNotFoundError):
    """Nothing is stored under a key; the message names it and where it was looked for."""


def _at(key: str) -> tuple["AbstractFileSystem", str]:
    from fsspec.core import url_to_fs

    filesystem, root = url_to_fs(settings().objects)
    return filesystem, f"{root}/{key}"


def put(key: str, content: bytes) -> None:
    """Store `content` under `key`, whole or not at all."""
    filesystem, path = _at(key)
    filesystem.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
    partial = f"{path}.{uuid4().hex}.partial"
    filesystem.pipe_file(partial, content)
    filesystem.mv(partial, path)


def get(key: str) -> bytes:
    """The content under `key`; raises ObjectMissing."""
    filesystem, path = _at(key)
    try:
        content: bytes = filesystem.cat_file(path)
    except FileNotFoundError:
        raise ObjectMissing(f"the object store holds no {key!r} ({path})") from None
    return content


def exists(key: str) -> bool:
    """Whether something is stored under `key`."""
    filesystem, path = _at(key)
    return bool(filesystem.exists(path))


def names(key: str) -> list[str]:
    """Names of the files directly under the folder `key`, sorted; empty when it is absent."""
    filesystem, path = _at(key)
    if not filesystem.exists(path):
        return []
    return sorted(p.rsplit("/", 1)[-1] for p in filesystem.ls(path, detail=False))


def remove(key: str) -> None:
    """Remove what lies under `key`, a file or a whole folder; nothing there is no error."""
    filesystem, path = _at(key)
    # Another process may be removing it at the same time.
    with suppress(FileNotFoundError):
        filesystem.rm(path, recursive=True)
