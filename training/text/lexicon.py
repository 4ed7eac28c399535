"""A text model that learnt nothing: the word list VADER (Hutto and Gilbert 2014, MIT)."""

from typing import Any

import numpy as np

from training.text.scorer import Batch, Read, Scorer, digest, softmax

VADER = "vader"
# Its authors call a text neutral whose compound score is nearer to 0 than this.
_NEUTRAL = 0.05
# How fast the odds of a class grow with the score; the order of the three does not depend on it.
_STEEP = 4.0


def version() -> str:
    """Names the word list and what is made of its score."""
    from importlib.metadata import version as of

    made = digest("vaderSentiment", of("vaderSentiment"), _NEUTRAL, _STEEP)
    return f"{VADER}-{made}"


def scorer() -> Scorer:
    """The word list as a text model; it has no embeddings."""
    return Scorer(version(), _load)


def _load() -> Batch:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    words: Any = SentimentIntensityAnalyzer()

    def read(texts: list[str]) -> Read:
        found = np.array([words.polarity_scores(text)["compound"] for text in texts])
        sides = [-found - _NEUTRAL, np.zeros(len(found)), found - _NEUTRAL]
        return Read.toned(softmax(_STEEP * np.column_stack(sides)))

    return read
