"""FiQA 2018, task 1: headlines and posts with a score from -1 to 1."""

from pathlib import Path

from training.text.labelled import Labelled, of_rows, table
from training.text.sets.corpus import corpus

# Where the usual three classes part; see Yang et al. 2023 (FinGPT).
_NEUTRAL = 0.1


@corpus("of the challenge: research use, taken as not for commercial use", "fiqa")
def fiqa(folder: Path) -> Labelled:
    """A table with the columns sentence and sentiment_score."""
    rows = table(folder, "sentence", "sentiment_score").iter_rows()
    return of_rows(folder, [(text, _class(float(score))) for text, score in rows])


def _class(score: float) -> str:
    if abs(score) < _NEUTRAL:
        return "neutral"
    return "positive" if score > 0 else "negative"
