"""Texts that mean much the same: by the embeddings that the store holds of one model."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import polars as pl
import typer

from contracts.champion import text_model as todays
from contracts.expected import Expected
from contracts.settings import settings
from contracts.store import Store, open_store
from contracts.tables import HEADLINES
from training.text.scorer import Scorer

# Of vectors of another length nothing can be said; there are none within one version.
_CLOSEST = """
SELECT text_hash, closeness(vector, %s::real[]) AS closeness FROM embeddings
WHERE model_version = %s AND text_hash = ANY(%s::text[])
ORDER BY closeness DESC, text_hash LIMIT %s
"""


class NothingEmbedded(Expected, LookupError):
    """The store holds no embedding to compare with; the message names the verb to run."""


def alike(store: Store, scorer: Scorer, text: str, count: int, now: datetime) -> pl.DataFrame:
    """The closest of the headlines known at `now`: closeness (cosine), text, text_hash.

    Raises NothingEmbedded.
    """
    known = store.read(HEADLINES, now, store.snapshot(), columns=("text_hash", "text"))
    texts = pl.DataFrame(known.select(["text_hash", "text"])).unique("text_hash", keep="any")
    asked = [str(value) for value in scorer.read([text]).embeddings[0]]
    values: Sequence[object] = [
        "{" + ",".join(asked) + "}",
        scorer.model_version,
        texts["text_hash"].to_list(),
        count,
    ]
    found = pl.DataFrame(store.query(_CLOSEST, values)) if asked else pl.DataFrame()
    if found.is_empty():
        raise NothingEmbedded(
            f"{scorer.model_version} has embedded none of {len(texts)} known texts: run `python -m "
            "training score-text`, or name a model that embeds (FINPULSE_TEXT_MODEL)"
        )
    return found.join(texts, on="text_hash", maintain_order="left")


def like(
    text: Annotated[str, typer.Argument(help="what the headlines are to be like")],
    count: Annotated[int, typer.Option(help="how many to print", min=1)] = 10,
) -> None:
    """Print the headlines that mean most nearly what a text says, by the settings' text model."""
    from training.text.named import named

    store = open_store()
    name, labels = todays(store, settings().text_model), settings().text_labels
    scorer = named(name, name, labels)
    for row in alike(store, scorer, text, count, datetime.now(UTC)).iter_rows(named=True):
        typer.echo(f"{row['closeness']:.3f}  {' '.join(row['text'].split())}")
