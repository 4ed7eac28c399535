"""Texts with known sentiment: the packaged sentences, or a folder of real ones in their place."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from contracts.expected import Expected
from training.text.phrases import NAMES, TEMPLATES

ORDER = ("negative", "neutral", "positive")
_COLUMNS = ("text", "label")
_FEWEST = 10
# Where there is such a column, the newest text's day bounds what a model may be asked about.
_DATED = "known_at"


class LabelledTextError(Expected, ValueError):
    """A folder of labelled texts cannot be learnt from; the message says what was found."""


@dataclass(frozen=True)
class Labelled:
    """Texts, their classes (places in ORDER), and groups: what must not be split in validation.

    newest: the day of the newest of them, where they are dated.
    """

    origin: str
    texts: tuple[str, ...]
    classes: tuple[int, ...]
    groups: tuple[int, ...]
    newest: date | None = None

    @property
    def digest(self) -> str:
        """64 hexadecimal digits over texts and classes."""
        content = json.dumps([self.texts, self.classes])
        return hashlib.sha256(content.encode()).hexdigest()


def labelled(folder: Path | None) -> Labelled:
    """The texts of that folder, or the packaged ones for None; raises LabelledTextError."""
    return _packaged() if folder is None else _read(folder)


def _packaged() -> Labelled:
    return filled(TEMPLATES)


def filled(parts: Sequence[Sequence[str]]) -> Labelled:
    """Templates of each class with names put in; those of one template are one group."""
    templates = [(place, text) for place, part in enumerate(parts) for text in part]
    rows = [
        (text.format(name=name), place, group)
        for group, (place, text) in enumerate(templates)
        for name in (NAMES if "{name}" in text else NAMES[:1])
    ]
    texts, classes, groups = zip(*rows, strict=True)
    return Labelled("packaged sentences", texts, classes, groups)


def _read(folder: Path) -> Labelled:
    files = sorted(p for p in folder.glob("*") if p.suffix in {".csv", ".parquet"})
    if not files:
        raise LabelledTextError(
            f"{folder}: expected .csv or .parquet files with the columns text and label "
            f"({', '.join(ORDER)}), found none: correct FINPULSE_TEXT_LABELS"
        )
    read = pl.concat([_file(path) for path in files])
    rows = read.select(_COLUMNS).unique(maintain_order=True)
    # A text under two labels teaches nothing.
    rows = rows.filter(pl.len().over("text") == 1)
    counts = dict(rows.group_by("label").len().iter_rows())
    if few := [word for word in ORDER if counts.get(word, 0) < _FEWEST]:
        raise LabelledTextError(
            f"{folder}: expected at least {_FEWEST} texts of each label, found "
            f"{', '.join(f'{counts.get(word, 0)} {word}' for word in few)}: add texts"
        )
    classes = [ORDER.index(word) for word in rows["label"]]
    groups = tuple(range(len(rows)))
    newest = max(read[_DATED].drop_nulls(), default=None)
    return Labelled(folder.name, tuple(rows["text"]), tuple(classes), groups, newest)


def _file(path: Path) -> pl.DataFrame:
    try:
        found = pl.read_csv(path) if path.suffix == ".csv" else pl.read_parquet(path)
        rows = found.select(pl.col(_COLUMNS).cast(pl.String).str.strip_chars(), _dated(found))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise LabelledTextError(
            f"{path}: expected a table with the columns text and label: {error}"
        ) from error
    right = pl.col("label").is_in(ORDER) & (pl.col("text").str.len_chars() > 0)
    wrong = rows.filter(~right.fill_null(False))
    if wrong.height:
        raise LabelledTextError(
            f"{path}: expected in every row a text and one of the labels {', '.join(ORDER)}, found "
            f"{wrong.height} rows without, the first {wrong.row(0)[:2]}: correct them"
        )
    return rows


def _dated(found: pl.DataFrame) -> pl.Expr:
    if _DATED not in found.columns:
        return pl.lit(None, pl.Date).alias(_DATED)
    return pl.col(_DATED).cast(pl.String).str.slice(0, 10).str.to_date()


def table(folder: Path, *columns: str) -> pl.DataFrame:
    """Those columns, as words, of all .csv, .csv.gz and .parquet files in a folder.

    Raises LabelledTextError.
    """
    files = sorted(p for p in folder.glob("*") if p.name.endswith((".csv", ".csv.gz", ".parquet")))
    try:
        read = [pl.read_parquet(p) if p.suffix == ".parquet" else pl.read_csv(p) for p in files]
        return pl.concat([one.select(pl.col(columns).cast(pl.String)) for one in read])
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise LabelledTextError(
            f"{folder}: expected .csv, .csv.gz or .parquet files with the columns "
            f"{', '.join(columns)}, found {', '.join(p.name for p in files) or 'none'}: {error}"
        ) from error


def of_rows(folder: Path, rows: Sequence[tuple[str, str]]) -> Labelled:
    """(text, label) as they are, none left out; raises LabelledTextError at another label."""
    if wrong := [row for row in rows if row[1] not in ORDER]:
        raise LabelledTextError(
            f"{folder}: expected the labels {', '.join(ORDER)}, found {len(wrong)} others, the "
            f"first {wrong[0]}: correct them"
        )
    classes = tuple(ORDER.index(label) for _, label in rows)
    texts = tuple(text.strip() for text, _ in rows)
    return Labelled(folder.name, texts, classes, tuple(range(len(rows))))
