"""Headlines from JSON lines or Parquet: each becomes a row, or a row with a fault."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from etl.folder.tabular import moment

_LONGEST = 1 << 20  # bytes of a line; a longer one is no headline
_SHOWN = 500


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


def read(path: Path) -> Iterator[Headline]:
    """The headlines of one file, in order; memory stays flat whatever a line's length."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        number = 0
        for batch in pq.ParquetFile(path).iter_batches(10_000):
            for row in batch.to_pylist():
                number += 1
                yield _headline(row, {"file": path.name, "row": number})
    else:
        for number, line in _lines(path):
            yield _from_line(line, {"file": path.name, "line": number})


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines without the empty ones; of one too long, its first `_LONGEST` + 1 bytes."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(_LONGEST + 1):
            number += 1
            rest = line
            while len(rest) > _LONGEST and not rest.endswith(b"\n"):
                rest = file.readline(_LONGEST + 1)
            if line.strip():
                yield number, line


def _from_line(line: bytes, place: dict[str, Any]) -> Headline:
    shown = {**place, "text": line[:_SHOWN].decode("utf-8", "replace")}
    if len(line) > _LONGEST:
        return _refused(f"line is longer than {_LONGEST} bytes", shown)
    try:
        row = orjson.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return _refused("text is not UTF-8", shown)
    except orjson.JSONDecodeError as error:
        return _refused(f"line is not JSON: {error}", shown)
    return (
        _headline(row, shown)
        if isinstance(row, dict)
        else _refused("line is no JSON object", shown)
    )


def _headline(row: dict[str, Any], place: dict[str, Any]) -> Headline:
    text, url = row.get("text"), row.get("url")
    native_id = row.get("id") or url
    at = moment(row.get("published_at"))
    known_at = at if row.get("known_at") is None else moment(row["known_at"])
    symbols = row.get("symbols") or []
    shown = {**place, "id": str(native_id)[:_SHOWN], "text": str(text)[:_SHOWN]}
    if not isinstance(text, str) or not text.strip():
        return _refused("text is missing", shown)
    if native_id is None or not isinstance(native_id, str | int):
        return _refused("id is missing", shown)
    if row.get("published_at") is None:
        return _refused("headline without time", shown)
    if at is None or known_at is None:
        wrong = row["published_at"] if at is None else row["known_at"]
        return _refused(f"not a time with its zone: {str(wrong)[:_SHOWN]}", shown)
    if not isinstance(symbols, list) or not all(isinstance(s, str) for s in symbols):
        return _refused("symbols is not a list of texts", shown)
    raw = _json({**shown, "published_at": at.isoformat(), "symbols": symbols})
    named = tuple(dict.fromkeys(s.strip().upper() for s in symbols))
    web = url if isinstance(url, str) else None
    return Headline(raw, None, str(native_id), at, known_at, text, web, named)


def _refused(fault: str, shown: dict[str, Any]) -> Headline:
    return Headline(_json(shown), fault)


def _json(value: dict[str, Any]) -> str:
    return orjson.dumps(value).decode()
