"""What a folder holds: which file is which table's, and which ones nobody reads."""

import gzip
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from etl.folder.delimited import LONGEST, NotDelimited, header_of, lines
from etl.folder.layouts import layout_of

_DELIMITED = ("csv", "txt")
_KINDS = {
    "bars": (*_DELIMITED, "parquet"),
    "actions": (*_DELIMITED, "parquet"),
    "instruments": (*_DELIMITED, "parquet"),
    "sessions": (*_DELIMITED, "parquet"),
    "headlines": (*_DELIMITED, "parquet", "jsonl"),
}
_FOLDERS = {"daily": "bars"} | {name: name for name in _KINDS}
_LARGEST = 4 << 30  # bytes of a file, unpacked
_AT_ONCE = 1 << 24


@dataclass(frozen=True)
class Found:
    """A file that is read. symbol: whose it is by its name, where no column says. alone: it is
    one of a folder of files, so that the others load without it."""

    path: Path
    name: str
    kind: str
    symbol: str
    alone: bool


@dataclass
class Contents:
    """The files of each table, sorted by name, and why each other one is not read."""

    files: dict[str, list[Found]] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    def of(self, table: str) -> list[Found]:
        """The table's files."""
        return self.files.get(table, [])


def contents(folder: Path) -> Contents:
    """Every file of the folder and of its tables' folders, hidden ones left out.

    Raises OSError when the folder cannot be listed.
    """
    found = Contents()
    for path in sorted(folder.iterdir()):
        table = _FOLDERS.get(path.name.lower())
        if path.name.startswith("."):
            continue
        if path.is_dir() and table:
            for each in sorted(path.iterdir()):
                if not each.name.startswith("."):
                    _take(found, each, f"{path.name}/{each.name}", table)
        elif path.is_dir():
            found.unread[f"{path.name}/"] = f"expected one of the folders {sorted(_FOLDERS)}"
        else:
            _take(found, path, path.name, None)
    return found


def _take(found: Contents, path: Path, name: str, table: str | None) -> None:
    stem, kind = parted(path)
    if not path.is_file():
        found.unread[name] = "it is no file"
        return
    alone = table is not None
    if table is None:
        table = next(
            (t for t in _KINDS if stem.lower() == t or stem.lower().startswith(f"{t}_")), None
        )
    if table is None and kind in _DELIMITED and _holds_prices(path):
        table, alone = "bars", True
    if table is None:
        found.unread[name] = (
            f"expected files or folders called {sorted(_KINDS)}, or prices by symbol"
        )
    elif kind not in _KINDS[table]:
        found.unread[name] = f"{table} are read from {', '.join(_KINDS[table])} (or these in .gz)"
    else:
        found.files.setdefault(table, []).append(Found(path, name, kind, _symbol(stem), alone))


def parted(path: Path) -> tuple[str, str]:
    """A file's name without its endings, and the ending that says what it is, in small letters."""
    name = path.name[: -len(".gz")] if path.name.lower().endswith(".gz") else path.name
    stem, dot, kind = name.rpartition(".")
    return (stem, kind.lower()) if dot else (name, "")


def _symbol(stem: str) -> str:
    """Whose prices a file is called after; Stooq says `aapl_us_d` for the daily ones of AAPL.US."""
    parts = stem.split("_")
    if len(parts) == 3 and len(parts[1]) == 2 and parts[2].lower() == "d":
        return f"{parts[0]}.{parts[1]}"
    return stem


def _holds_prices(path: Path) -> bool:
    try:
        first = lines(content(path, LONGEST))
        return first.height > 0 and layout_of(header_of(first["text"][0])[1]) is not None
    except NotDelimited:
        return False


def content(path: Path, most: int = _LARGEST) -> bytes:
    """The file's first bytes, unpacked; raises NotDelimited when it cannot be read, or holds
    more than any file should."""
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    found = bytearray()
    try:
        with opened(path, "rb") as file:
            while len(found) < most and (part := file.read(_AT_ONCE)):
                found += part
    except (OSError, EOFError, zlib.error) as error:
        raise NotDelimited(f"it cannot be read: {error}") from error
    if len(found) >= _LARGEST:
        raise NotDelimited(f"it holds more than {_LARGEST} bytes")
    return bytes(found)
