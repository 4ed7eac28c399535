"""Lines and cells of a delimited text; a line that cannot be taken apart is one refused row."""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import polars as pl

from etl.parsing.texts import seen

LONGEST = 1 << 20  # bytes of a line; a longer one is no row
SHOWN = 500  # characters of a line that cannot be read
_SEPARATORS = (",", ";", "\t")
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_NOT_UTF8, _TOO_LONG = "text is not UTF-8", f"line is longer than {LONGEST} bytes"
_OPEN = "a quote is not closed, or text follows one"
_BLANKS = re.compile(r"[. ]+")
_QUOTED = r'"(?:[^"]|"")*"'
_ORDERLY = rf'^(?:[^",]*|{_QUOTED})(?:,(?:[^",]*|{_QUOTED}))*$'
_UNEVEN = "{} cells where the header has {}"


class NotDelimited(ValueError):
    """The text has no header; the message says what was found."""


def lines(content: bytes) -> pl.DataFrame:
    """Columns line (its number), text and fault (null: it can be read) of all lines that are not
    blank, of a text in UTF-8 or in UTF-16 that says so. Raises NotDelimited."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            content = _recoded(content) if encoding == "utf-16" else content.removeprefix(mark)
            break
    end = "\r" if b"\n" not in content else "\n"
    try:
        texts = content.decode().split(end)
        faults: list[str | None] = []
    except UnicodeDecodeError:
        decoded = [_decoded(line) for line in content.split(end.encode())]
        texts, faults = [text for text, _ in decoded], [fault for _, fault in decoded]
    known = pl.Series(faults, dtype=pl.String) if faults else pl.lit(None, pl.String)
    frame = pl.DataFrame({"text": texts}).with_row_index("line", offset=1).with_columns(fault=known)
    long = pl.col("text").str.len_bytes() > LONGEST
    return frame.filter(pl.col("text").str.contains(r"\S")).with_columns(
        pl.col("line").cast(pl.Int64),
        pl.when(long)
        .then(pl.col("text").str.slice(0, SHOWN))
        .otherwise(pl.col("text").str.strip_chars_end("\r"))
        .alias("text"),
        pl.when(long).then(pl.lit(_TOO_LONG)).otherwise("fault").alias("fault"),
    )


def _decoded(line: bytes) -> tuple[str, str | None]:
    try:
        return line.decode(), None
    except UnicodeDecodeError:
        return line.decode("utf-8", "replace"), _NOT_UTF8


def _recoded(content: bytes) -> bytes:
    try:
        return content.decode("utf-16").encode()
    except UnicodeError as error:
        raise NotDelimited(f"it begins as UTF-16 and is none: {error}") from error


@dataclass(frozen=True)
class Delimited:
    """A table of texts. cells: the header's columns, null where a cell is empty; line: where each
    row stands; fault: why it is not to be trusted; lost: columns line, fault, text of the lines
    that are no rows."""

    cells: pl.DataFrame
    line: pl.Series
    fault: pl.Series
    lost: pl.DataFrame


_LOST = {"line": pl.Int64(), "fault": pl.String(), "text": pl.String()}
RowLike = Callable[[list[str]], bool]


def header_of(first: str) -> tuple[str, list[str]]:
    """The separator and the names of a header, in small letters, blanks as `_`."""
    for separator in _SEPARATORS:
        cells = cells_of(first, separator)
        if cells and len(cells) > 1:
            return separator, [named(cell) for cell in cells]
    return ",", [named(first)]


def named(cell: str) -> str:
    """A column's name in small letters, blanks and points as `_`."""
    return _BLANKS.sub("_", seen(cell).strip("<>\"' ").lower())


def table(content: bytes, row_like: RowLike | None = None) -> Delimited:
    """The rows of a text whose first line is its header; raises NotDelimited.

    A row has as many cells as its header. row_like: given where a quoted cell may hold line ends:
    whether cells look like a row of their own, so that a quote left open swallows none.
    """
    found = lines(content)
    if not found.height or found["fault"][0]:
        raise NotDelimited(found["fault"][0] if found.height else "it is empty")
    separator, header = header_of(found["text"][0])
    given = [name for name in header if name]
    repeated = sorted({name for name in given if given.count(name) > 1})
    if repeated:
        raise NotDelimited(f"its header names {repeated} more than once")
    rows, lost = _parted(found[1:], separator, len(header), row_like)
    garbled = found.filter(pl.col("fault") == _NOT_UTF8).select("line", "fault")
    fault = rows.select("line").join(garbled, on="line", how="left", maintain_order="left")["fault"]
    cells = rows.select(pl.col(str(i)).alias(name) for i, name in enumerate(header) if name)
    return Delimited(cells, rows["line"], fault, lost)


def _parted(
    body: pl.DataFrame, separator: str, width: int, row_like: RowLike | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    text = pl.col("text")
    readable = pl.col("fault").is_null() | (pl.col("fault") == _NOT_UTF8)
    whole = body.filter(readable).with_columns(
        quoted=text.str.contains('"', literal=True),
        count=text.str.count_matches(separator, literal=True) + 1,
    )
    plain = whole.filter(~pl.col("quoted"))
    uneven = plain.filter(pl.col("count") != width).with_columns(
        fault=pl.format(_UNEVEN, "count", pl.lit(width))
    )
    lost = [body.filter(~readable), uneven]
    rows = [_read(plain.filter(pl.col("count") == width), separator, width, None)]
    if plain.height == whole.height:
        return rows[0], _lost(lost)
    commas = text.str.replace_all(_QUOTED, "").str.count_matches(separator, literal=True)
    orderly = text.str.contains(_ORDERLY.replace(",", separator)) & (commas == width - 1)
    whole = whole.with_columns(orderly=pl.col("quoted") & orderly)
    rows.append(_read(whole.filter("orderly"), separator, width, '"'))
    left = whole.with_columns(pl.col("quoted") & ~pl.col("orderly"))
    numbered = left.rows() if left["quoted"].any() else []
    records, unread = _one_by_one(numbered, separator, width, row_like)
    # What a quoted cell holds is no line of its own.
    inside = [n for first, last, _ in records for n in range(first + 1, last + 1)]
    own = ~pl.col("line").is_in(inside)
    both = pl.concat([*rows, _framed(records, width)]).filter(own).sort("line")
    return both, _lost([*lost, unread]).filter(own)


def _lost(frames: list[pl.DataFrame]) -> pl.DataFrame:
    kept = [frame.select("line", "fault", pl.col("text").str.slice(0, SHOWN)) for frame in frames]
    return pl.concat(kept).sort("line")


def _places(width: int) -> list[str]:
    """What columns are called in here: a header may hold any name, `line` too."""
    return [str(place) for place in range(width)]


def _read(even: pl.DataFrame, separator: str, width: int, quote: str | None) -> pl.DataFrame:
    names = _places(width)
    if not even.height:
        return pl.DataFrame(schema={"line": pl.Int64(), **dict.fromkeys(names, pl.String())})
    frame = pl.read_csv(
        BytesIO("\n".join(even["text"].to_list()).encode()),
        has_header=False,
        separator=separator,
        quote_char=quote,
        infer_schema=False,
        new_columns=names,
    )
    return _blank_is_null(frame.insert_column(0, even["line"]))


def _blank_is_null(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.String).str.strip_chars().replace("", None))


def _framed(records: "list[Record]", width: int) -> pl.DataFrame:
    schema = {"line": pl.Int64(), **dict.fromkeys(_places(width), pl.String())}
    rows = [(first, *cells) for first, _, cells in records]
    return _blank_is_null(pl.DataFrame(rows, schema=schema, orient="row"))


Record = tuple[int, int, list[str]]  # first and last line, cells
Numbered = list[tuple[int, str, str | None, bool, int, bool]]  # line, text, fault, quoted, count


def _one_by_one(
    whole: Numbered, separator: str, width: int, row_like: RowLike | None
) -> tuple[list[Record], pl.DataFrame]:
    """The records that begin in a line with quotes; of one left open only this line is lost."""
    records: list[Record] = []
    lost: list[tuple[int, str, str]] = []
    place = 0
    while place < len(whole):
        number, text, _, quoted, *_ = whole[place]
        end = place
        if quoted:
            cells = cells_of(text, separator)
            if cells is None and row_like is not None and text.count('"') % 2:
                end = _closing(whole, place, separator, width, row_like)
                joined = "\n".join(each[1] for each in whole[place : end + 1])
                cells = cells_of(joined, separator)
            if cells is not None and len(cells) == width:
                records.append((number, whole[end][0], cells))
            else:
                end = place
                fault = _OPEN if cells is None else _UNEVEN.format(len(cells), width)
                lost.append((number, fault, text))
        place = end + 1
    return records, pl.DataFrame(lost, schema=_LOST, orient="row")


def _closing(whole: Numbered, first: int, separator: str, width: int, row_like: RowLike) -> int:
    """The place of the line that closes the quote; `first` when rows would be swallowed."""
    length = 0
    for place in range(first + 1, len(whole)):
        text, count = whole[place][1], whole[place][4]
        length += len(text)
        if length > LONGEST:
            return first
        if text.count('"') % 2:
            return place
        if count >= width:
            cells = cells_of(text, separator)
            if cells and len(cells) == width and row_like(cells):
                return first
    return first


def cells_of(text: str, separator: str) -> list[str] | None:
    """The cells of one record; None where its quotes are not balanced."""
    csv.field_size_limit(LONGEST * 2)  # the process's own limit is less than a line may have
    parts = text.splitlines(keepends=True) if "\n" in text else [text]
    try:
        [cells] = csv.reader(parts, delimiter=separator, strict=True, skipinitialspace=True)
    except (csv.Error, ValueError):
        return None
    return cells
