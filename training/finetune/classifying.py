"""Any labelled or unlabelled file of texts, as a model classifies them."""

from collections.abc import Mapping
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


def classified(file: Path, scorer: Scorer) -> pl.DataFrame:
    """The file's rows with p_negative, p_neutral, p_positive and the likeliest class, `said`.

    Raises LabelledTextError where there is no column `text`, or a label is none of ORDER.
    """
    try:
        rows = pl.read_csv(file, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise LabelledTextError(f"{file}: expected a CSV with the column text: {error}") from error
    if _TEXT not in rows.columns:
        raise LabelledTextError(
            f"{file}: expected a column text, found {', '.join(rows.columns)}: name it so"
        )
    if _LABEL in rows.columns:
        wrong = rows.filter(~pl.col(_LABEL).is_in(ORDER).fill_null(False))
        if wrong.height:
            raise LabelledTextError(
                f"{file}: expected the labels {', '.join(ORDER)}, found {wrong.height} rows with "
                f"others, the first {wrong[_LABEL][0]!r}: correct them, or leave the column out"
            )
    found = scorer.probabilities(rows[_TEXT].fill_null("").to_list())
    told = [pl.Series(f"p_{word}", found[:, place]) for place, word in enumerate(ORDER)]
    said = [ORDER[place] for place in found.argmax(axis=1)]
    return rows.with_columns(*told, pl.Series(_SAID, said, pl.String))


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
