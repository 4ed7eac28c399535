"""Twitter Financial News Sentiment (zeroshot): posts about shares."""

from pathlib import Path

from training.text.labelled import Labelled, of_rows, table
from training.text.sets.corpus import corpus

_WORDS = {"0": "negative", "1": "positive", "2": "neutral"}


@corpus("MIT", "twitter_fin_news")
def tfns(folder: Path) -> Labelled:
    """A table with the columns text and label (0 bearish, 1 bullish, 2 neutral)."""
    rows = table(folder, "text", "label").iter_rows()
    return of_rows(folder, [(text, _WORDS.get(label, label)) for text, label in rows])
