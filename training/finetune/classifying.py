"""Any labelled or unlabelled file of texts, as a model classifies them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from training.finetune.judging import MAJORITY
from training.reading.scores import Scores, majority, scores
from training.text.labelled import ORDER, LabelledTextError
from training.text.scorer import Scorer

if TYPE_CHECKING:
    from rich.table import Table

_TEXT, _LABEL, _SAID = "text", "label", "said"


def classified(
    file: Path, scorer: Scorer, told: Callable[[str], None] = lambda _: None
) -> pl.DataFrame:
    """The file's rows with p_negative, p_neutral, p_positive and the likeliest class, `said`.

    told: hears how many are read. Raises LabelledTextError where there is no column `text`, or a
    label is none of ORDER, however it is written in capitals.
    """
    rows = _rows(file)
    texts, parts = rows[_TEXT].fill_null("").to_list(), [np.empty((0, len(ORDER)))]
    for start in range(0, len(texts), scorer.chunk):
        parts.append(scorer.probabilities(texts[start : start + scorer.chunk]))
        told(f"{min(start + scorer.chunk, len(texts))} of {len(texts)} texts read")
    found = np.concatenate(parts)
    columns = [pl.Series(f"p_{word}", found[:, place]) for place, word in enumerate(ORDER)]
    said = [ORDER[place] for place in found.argmax(axis=1)]
    return rows.with_columns(*columns, pl.Series(_SAID, said, pl.String))


def _rows(file: Path) -> pl.DataFrame:
    try:
        rows = pl.read_csv(file, infer_schema=False, separator=_separator(file))
    except (pl.exceptions.PolarsError, OSError, UnicodeError) as error:
        raise LabelledTextError(
            f"{file}: expected a CSV in UTF-8 with the column text: {error}"
        ) from error
    if _TEXT not in rows.columns:
        raise LabelledTextError(
            f"{file}: expected a column text, found {', '.join(rows.columns)}: name it so"
        )
    if _LABEL not in rows.columns:
        return rows
    given = rows[_LABEL]
    rows = rows.with_columns(pl.col(_LABEL).str.strip_chars().str.to_lowercase())
    wrong = given.filter(~rows[_LABEL].is_in(ORDER).fill_null(False))
    if len(wrong):
        raise LabelledTextError(
            f"{file}: expected the labels {', '.join(ORDER)}, found {len(wrong)} rows with "
            f"others, the first {wrong[0]!r}: correct them (what a number or another word stands "
            "for differs from set to set), or leave the column out"
        )
    return rows


def _separator(file: Path) -> str:
    # That which makes a column `text` of the first line; a comma where none does.
    with file.open(encoding="utf-8-sig") as lines:
        head = lines.readline()
    for separator in (",", ";", "\t"):
        if _TEXT in (name.strip().strip('"') for name in head.split(separator)):
            return separator
    return ","


def scored(rows: pl.DataFrame) -> dict[str, Scores]:
    """Scores of what was said and of the majority class; empty without labels or rows."""
    if _LABEL not in rows.columns or not rows.height:
        return {}
    classes, said = (
        np.array([ORDER.index(word) for word in rows[name]]) for name in (_LABEL, _SAID)
    )
    return {"model": scores(classes, said), MAJORITY: scores(classes, majority(classes))}


def table(title: str, found: Mapping[str, Scores]) -> "Table":
    """Scores for people, with their 95 % intervals."""
    from rich.table import Table

    shown = Table("", "texts", "accuracy", "macro-F1", "MCC", title=title)
    for name, one in found.items():
        shown.add_row(name, str(one.n), str(one.accuracy), str(one.macro_f1), str(one.mcc))
    return shown
