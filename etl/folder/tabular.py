"""Tables from CSV or Parquet: cells become typed, or their row gets a fault."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import orjson
import polars as pl
import pyarrow as pa

from etl.folder.contents import Found, content
from etl.folder.delimited import NotDelimited, RowLike, named, table
from etl.parsing import cells
from etl.parsing.columns import Typed, typed
from etl.source import FAULT, RAW, Cause, SourceError

LAYOUT = "see docs/files_layout.md"
Kinds = Mapping[str, pl.DataType]


@dataclass(frozen=True)
class Delivered:
    """A file's rows as they lie in it. columns: by name in small letters, blanks as `_`. line:
    where each row stands; fault: why it is not to be trusted. lost: columns line, fault, text of
    what could not be taken apart."""

    file: str
    columns: dict[str, pa.ChunkedArray]
    line: pl.Series
    fault: pl.Series
    lost: pl.DataFrame

    @property
    def header(self) -> list[str]:
        """The names of the columns, in their order."""
        return list(self.columns)

    @property
    def height(self) -> int:
        """Rows that were read, the lost ones among them."""
        return len(self.line) + self.lost.height


def delivered(found: Found, row_like: RowLike | None = None) -> Delivered:
    """The rows of a file; raises SourceError when it cannot be read."""
    try:
        if found.kind == "parquet":
            return _parquet(found)
        read = table(content(found.path), row_like)
    except (NotDelimited, pa.ArrowException, OSError) as error:
        message = f"{found.path} cannot be read: {error}; {LAYOUT}"
        raise SourceError(Cause.EMPTY, message) from error
    columns = {name: _chunked(read.cells[name].to_arrow()) for name in read.cells.columns}
    return Delivered(found.name, columns, read.line, read.fault, read.lost)


def _chunked(array: Any) -> pa.ChunkedArray:
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _parquet(found: Found) -> Delivered:
    import pyarrow.parquet as pq

    read = pq.read_table(BytesIO(content(found.path)))
    names = [named(name) for name in read.column_names]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise NotDelimited(f"it names the columns {repeated} more than once")
    columns = dict(zip(names, read.columns, strict=True))
    line = pl.int_range(1, read.num_rows + 1, eager=True).alias("line")
    lost = pl.DataFrame(schema={"line": pl.Int64(), "fault": pl.String(), "text": pl.String()})
    fault = pl.repeat(None, read.num_rows, dtype=pl.String, eager=True)
    return Delivered(found.name, columns, line, fault, lost)


def frame(rows: Delivered, called: Mapping[str, str], kinds: Kinds) -> pl.DataFrame:
    """Columns of `kinds`, absent ones null, then `line`, `fault` and `raw`, of every row.

    called: ours -> the file's own name, of the columns that it has.
    """
    found = {ours: typed(rows.columns[theirs], kinds[ours]) for ours, theirs in called.items()}
    height = len(rows.line)
    columns = [
        found[name].values.alias(name)
        if name in found
        else pl.repeat(None, height, dtype=stored(kind), eager=True).alias(name)
        for name, kind in kinds.items()
    ]
    fault = _faults(rows, called, found)
    sound = pl.DataFrame([*columns, rows.line.cast(pl.Int64), fault])
    raw = _as_delivered(rows, called, fault)
    lost = rows.lost.select("line", pl.col("fault").alias(FAULT), _lost_raw(rows))
    both = pl.concat([sound.with_columns(raw), lost], how="diagonal")
    return both.sort("line") if lost.height else both


def stored(kind: pl.DataType) -> pl.DataType:
    """The type in which cells of that kind are kept."""
    return pl.String() if kind == pl.Categorical() else kind


def _faults(rows: Delivered, called: Mapping[str, str], found: Mapping[str, Typed]) -> pl.Series:
    faults = [
        pl.format("{} {}: {}", pl.lit(called[name]), wrong, _shown(rows, called[name], wrong))
        for name, each in found.items()
        if (wrong := each.wrong) is not None
    ]
    return pl.select(pl.coalesce(rows.fault, *faults)).to_series().alias(FAULT)


def _shown(rows: Delivered, name: str, wrong: pl.Series) -> pl.Series:
    """The cells that are wrong, as text; null elsewhere."""
    places = wrong.is_not_null().arg_true().to_list()
    texts = {place: cells.shown(cell_of(rows.columns[name][place])) for place in places}
    return _spread(texts, len(wrong))


def _spread(texts: Mapping[int, str], height: int) -> pl.Series:
    every = pl.DataFrame({"place": pl.int_range(height, eager=True)})
    told = pl.DataFrame(
        {"place": list(texts), "text": list(texts.values())},
        schema={"place": pl.Int64(), "text": pl.String()},
    )
    return every.join(told, on="place", how="left", maintain_order="left")["text"]


def cell_of(cell: pa.Scalar) -> object:
    """What Python has for the cell; its type where it has nothing."""
    try:
        return cell.as_py()
    except (ValueError, OverflowError, LookupError, pa.ArrowException):
        return f"a value of type {cell.type}"


def _as_delivered(rows: Delivered, called: Mapping[str, str], fault: pl.Series) -> pl.Series:
    """JSON of the rows that have a fault; null for the others, whose columns say all."""
    texts = {}
    for place in fault.is_not_null().arg_true().to_list():
        row: dict[str, Any] = {"file": rows.file, "line": int(rows.line[place])}
        for ours, theirs in called.items():
            cell = cell_of(rows.columns[theirs][place])
            row[ours] = None if cell is None else cells.shown(cell)
        texts[place] = orjson.dumps(row).decode()
    return _spread(texts, len(fault)).alias(RAW)


def _lost_raw(rows: Delivered) -> pl.Expr:
    shown = pl.struct(pl.lit(rows.file).alias("file"), "line", "text")
    return shown.struct.json_encode().alias(RAW)
