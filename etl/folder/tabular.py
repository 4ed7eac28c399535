"""Tables from CSV or Parquet: cells become typed, or their row gets a fault."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from etl.source import FAULT, RAW, Cause, SourceError

MOMENT = pl.Datetime("us", "UTC")
_REPLACEMENT = "\ufffd"  # what stands for bytes that are not UTF-8
_LAYOUT = "see docs/files_layout.md"
_SHOWN = 200  # characters of a cell that a fault or a raw row shows


def parts(folder: Path, stem: str, kinds: tuple[str, ...] = ("csv", "parquet")) -> list[Path]:
    """`<stem>.<kind>` and `<stem>/*.<kind>`, sorted."""
    flat = [folder / f"{stem}.{kind}" for kind in kinds]
    nested = [path for kind in kinds for path in (folder / stem).glob(f"*.{kind}")]
    return sorted(path for path in [*flat, *nested] if path.is_file())


def moment(value: object) -> datetime | None:
    """An aware time in UTC from ISO 8601 text or a datetime; None for anything else."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        return None
    return value.astimezone(UTC)


def tables(
    paths: list[Path],
    types: Mapping[str, pl.DataType],
    required: tuple[str, ...],
    quoted: bool = False,
) -> Iterator[pl.DataFrame]:
    """One frame per file with the columns of `types`, absent ones null, and `fault` and `raw`.

    quoted: whether a cell of a CSV may be quoted and hold commas. Where none does, quotes are
    only decoration, and an unbalanced one does not swallow the rest of the file. Raises
    SourceError when a file cannot be read or lacks a required column.
    """
    for path in paths:
        try:
            frame = _read(path, quoted)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise SourceError(Cause.EMPTY, f"{path} cannot be read: {error}; {_LAYOUT}") from error
        missing = [name for name in required if name not in frame.columns]
        if missing:
            raise SourceError(
                Cause.EMPTY,
                f"{path} lacks the columns {missing}, found {frame.columns[:20]}; {_LAYOUT}",
            )
        yield _typed(frame, types, path.name)


def _read(path: Path, quoted: bool) -> pl.DataFrame:
    if path.suffix == ".parquet":
        return pl.read_parquet(path)
    try:
        frame = pl.read_csv(
            path,
            infer_schema=False,
            encoding="utf8-lossy",
            truncate_ragged_lines=True,
            quote_char='"' if quoted else None,
        )
    except pl.exceptions.NoDataError:
        return pl.DataFrame()
    frame = frame.rename(lambda name: name.strip('" \ufeff').lower())
    return frame.with_columns(pl.all().str.strip_chars('" ').replace("", None))


def _typed(frame: pl.DataFrame, types: Mapping[str, pl.DataType], file: str) -> pl.DataFrame:
    given = [name for name in types if name in frame.columns]
    frame = frame.select(given).with_row_index("line", offset=2)
    typed = frame.select(_cast(frame, name, types[name]) for name in given)
    faults = [
        pl.when(frame[name].is_not_null() & typed[name].is_null()).then(
            pl.format(
                "{} is not {}: {}",
                pl.lit(name),
                pl.lit(_called(types[name])),
                pl.lit(frame[name].cast(pl.String).str.slice(0, _SHOWN)),
            )
        )
        for name in given
        if types[name] != pl.String()
    ]
    texts = [name for name in given if frame.schema[name] == pl.String()]
    broken = pl.any_horizontal(pl.col(name).str.contains(_REPLACEMENT) for name in texts)
    not_text = frame.select(broken=broken).to_series() if texts else pl.Series([False])
    fault = pl.coalesce(pl.when(pl.lit(not_text)).then(pl.lit("text is not UTF-8")), *faults)
    absent = [pl.lit(None, kind).alias(name) for name, kind in types.items() if name not in given]
    typed = typed.with_columns(fault.alias(FAULT), *absent)
    return typed.with_columns(_as_delivered(frame, typed[FAULT], file).alias(RAW))


def _cast(frame: pl.DataFrame, name: str, kind: pl.DataType) -> pl.Series:
    column = frame[name]
    if kind == MOMENT and not (isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone):
        return pl.Series(name, [moment(value) for value in column.to_list()], MOMENT)
    if kind == pl.Date() and column.dtype == pl.String():
        return column.str.to_date("%Y-%m-%d", strict=False)
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone:
        column = column.dt.convert_time_zone("UTC")
    return column.cast(kind, strict=False)


def _called(kind: pl.DataType) -> str:
    if kind == MOMENT:
        return "a time with its zone"
    return "a date" if kind == pl.Date() else "a number"


def _as_delivered(frame: pl.DataFrame, fault: pl.Series, file: str) -> pl.Series:
    """JSON of the rows that have a fault; null for the others, whose columns say all."""
    cells = [pl.col(name).cast(pl.String).str.slice(0, _SHOWN) for name in frame.columns]
    row = pl.struct(pl.lit(file).alias("file"), *cells).struct.json_encode()
    marked = frame.filter(fault.is_not_null()).select("line", row.alias(RAW))
    return frame.join(marked, on="line", how="left", maintain_order="left")[RAW]
