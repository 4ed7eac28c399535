"""Headlines from JSON lines, CSV or Parquet: each becomes a row, or a row with a fault."""

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from etl.folder.contents import Found
from etl.folder.delimited import LONGEST, SHOWN
from etl.folder.tabular import LAYOUT, Delivered, cell_of, delivered
from etl.parsing import cells
from etl.source import Cause, SourceError

# Ours, and what others call it (FNSPID, analyst ratings, feeds); the first that is there counts.
_CALLED = {
    "id": ("id", "native_id", "guid", "uuid"),
    "url": ("url", "link"),
    "text": ("text", "headline", "title", "article_title"),
    "published_at": ("published_at", "published", "date", "datetime", "timestamp", "pubdate"),
    "known_at": ("known_at",),
    "symbols": ("symbols", "symbol", "tickers", "ticker", "stock_symbol", "stock"),
}
_LISTS = re.compile(r"[,;|]")


@dataclass(frozen=True)
class Headline:
    """One delivered headline. With a `fault` only `raw` says something."""

    raw: str
    fault: str | None = None
    native_id: str = ""
    at: datetime | None = None
    known_at: datetime | None = None
    text: str = ""
    url: str | None = None
    symbols: tuple[str, ...] = ()


def read(found: Found, known: set[str]) -> Iterator[Headline]:
    """The headlines of one file, in order; of JSON lines memory stays flat, however long.

    known: symbols that have bars; a file without a column of symbols that is called by one of
    them tells of it. Raises SourceError when the file cannot be read.
    """
    if found.kind == "jsonl":
        for number, line in _lines(found.path):
            yield _from_line(line, {"file": found.name, "line": number})
        return
    rows = delivered(found, lambda row: any(map(_dated, row)))
    called = _names(rows.header)
    missing = [name for name in ("published_at", "text") if name not in called]
    if missing:
        expected = " or ".join(_CALLED[missing[0]])
        raise SourceError(
            Cause.EMPTY,
            f"{found.path} lacks the columns {missing}, found {rows.header[:20]}: expected "
            f"{expected}; {LAYOUT}",
        )
    owner, _ = cells.symbol(found.symbol.removeprefix("headlines_"))
    named = (owner,) if owner in known and "symbols" not in called else ()
    yield from _from_rows(rows, called, named)


def _dated(cell: str) -> bool:
    return cells.moment(cell)[0] is not None or cells.day(cell)[0] is not None


def _names(header: list[str]) -> dict[str, str]:
    there = {ours: [n for n in theirs if n in header] for ours, theirs in _CALLED.items()}
    return {ours: names[0] for ours, names in there.items() if names}


def _from_rows(
    rows: Delivered, called: Mapping[str, str], named: tuple[str, ...]
) -> Iterator[Headline]:
    # Where a file has no names for its headlines, they are named by what they say and when.
    unnamed = not {"id", "url"} & set(called)
    columns = {ours: rows.columns[theirs] for ours, theirs in called.items()}
    for place, (line, fault) in enumerate(zip(rows.line, rows.fault, strict=True)):
        row: dict[str, Any] = {ours: cell_of(column[place]) for ours, column in columns.items()}
        if isinstance(row.get("symbols"), str):
            row["symbols"] = _parted(row["symbols"])
        row["symbols"] = row.get("symbols") or [*named]
        if unnamed:
            said = f"{cells.shown(row.get('published_at'))}\n{row.get('text')}"
            row["id"] = sha256(said.encode("utf-8", "replace")).hexdigest()[:24]
        shown = {"file": rows.file, "line": line}
        yield _refused(fault, shown | _kept(row)) if fault else _headline(row, shown)
    for line, fault, text in rows.lost.iter_rows():
        yield _refused(fault, {"file": rows.file, "line": line, "text": text})


def _parted(cell: str) -> Any:
    """Symbols that stand in one cell: a JSON list, or parted by commas, semicolons or bars."""
    if cell.startswith("["):
        try:
            return orjson.loads(cell.replace("'", '"'))
        except orjson.JSONDecodeError:
            return cell
    return [part for part in _LISTS.split(cell) if part.strip()]


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines without the empty ones; of one too long, its first `LONGEST` + 1 bytes."""
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opened(path, "rb") as file:
            number = 0
            while line := file.readline(LONGEST + 1):
                number += 1
                rest = line
                while len(rest) > LONGEST and not rest.endswith(b"\n"):
                    rest = file.readline(LONGEST + 1)
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                if line.strip():
                    yield number, line
    except (OSError, EOFError, zlib.error) as error:
        message = f"{path} cannot be read: {error}; {LAYOUT}"
        raise SourceError(Cause.EMPTY, message) from error


def _from_line(line: bytes, place: dict[str, Any]) -> Headline:
    shown = {**place, "text": line[:SHOWN].decode("utf-8", "replace")}
    if len(line) > LONGEST:
        return _refused(f"line is longer than {LONGEST} bytes", shown)
    try:
        row = orjson.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return _refused("text is not UTF-8", shown)
    except orjson.JSONDecodeError as error:
        return _refused(f"line is not JSON: {error}", shown)
    if not isinstance(row, dict):
        return _refused("line is no JSON object", shown)
    lowered = {str(name).strip().lower(): value for name, value in row.items()}
    called = _names(list(lowered))
    known = {ours: lowered[theirs] for ours, theirs in called.items()}
    if called.get("symbols") != "symbols" and isinstance(known.get("symbols"), str):
        known["symbols"] = _parted(known["symbols"])
    return _headline(known, shown)


def _headline(row: dict[str, Any], place: dict[str, Any]) -> Headline:
    shown = place | _kept(row)
    text, lost_text = cells.text(row.get("text"))
    url, lost_url = cells.name(row.get("url"))
    native_id, lost_id = cells.identity(row.get("id"))
    native_id = native_id or url
    at, untimed = cells.moment(row.get("published_at"))
    known_at, unknown = cells.moment(row.get("known_at"))
    symbols, strange = _symbols(row.get("symbols"))
    checks = (
        (lost_text and row.get("text") is not None, f"text {lost_text}"),
        (text is None, "text is missing"),
        (lost_id, f"id {lost_id}"),
        (native_id is None and lost_url, f"url {lost_url}"),
        (native_id is None, "id is missing"),
        (at is None and not untimed, "headline without time"),
        (at is None, _wrong(untimed, row.get("published_at"))),
        (unknown, _wrong(unknown, row.get("known_at"))),
        (strange, strange),
    )
    fault = next((said for found, said in checks if found), None)
    if fault or at is None or native_id is None or text is None:
        return _refused(fault or "headline cannot be read", shown)
    shown |= {"id": native_id[:SHOWN], "published_at": at.isoformat(), "symbols": list(symbols)}
    return Headline(_json(shown), None, native_id, at, known_at or at, text, url, symbols)


def _wrong(said: str, cell: object) -> str:
    return f"{said.removeprefix('is ')}: {cells.shown(cell)}"


def _symbols(found: Any) -> tuple[tuple[str, ...], str]:
    if found is None:
        return (), ""
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        return (), "symbols is not a list of texts"
    read_ = [cells.symbol(each) for each in found]
    wrong = next((f"symbol {said}" for _, said in read_ if said), "")
    return tuple(dict.fromkeys(symbol for symbol, _ in read_ if symbol)), wrong


def _kept(row: Mapping[str, Any]) -> dict[str, Any]:
    """The cells as they are kept of a refused row."""
    return {
        name: [cells.shown(each) for each in value[:50]]
        if isinstance(value, list)
        else cells.shown(value, SHOWN)
        for name, value in row.items()
        if value is not None
    }


def _refused(fault: str, shown: dict[str, Any]) -> Headline:
    return Headline(_json(shown), fault)


def _json(value: dict[str, Any]) -> str:
    return orjson.dumps(value).decode()
