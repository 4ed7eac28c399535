"""Headlines that a model never read, and the rows that keep what it made of them."""

from collections.abc import Callable, Iterator
from datetime import datetime

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from contracts.champion import text_model as todays
from contracts.settings import settings
from contracts.store import Store
from contracts.table import REALS, Table
from contracts.tables import EMBEDDINGS, HEADLINES, SENTIMENTS
from features.view import VIEWS
from training.bundle.text_model import in_office, of_champions
from training.run.scope import Scope
from training.text.checkpoint import CheckpointMissing
from training.text.labelled import ORDER
from training.text.named import named, of_version
from training.text.scorer import Read, Scorer, TextModelGone


def scorers(
    store: Store, universe: str, asked: str, told: Callable[[str], None], spark: bool = False
) -> Iterator[Scorer]:
    """That which is asked for; else those of the universe's champions and, last, the settings'.

    A champion's that cannot be had any more is told of: its forecasts say what they lack. spark:
    they read inside Spark, whose session ends with the last of them.
    """
    found = _scorers(store, universe, asked, told)
    if not spark:
        yield from found
        return
    from training.text.history.spread import spread

    with spread(found) as inside:
        yield from inside


def _scorers(
    store: Store, universe: str, asked: str, told: Callable[[str], None]
) -> Iterator[Scorer]:
    name, labels = todays(store, settings().text_model), settings().text_labels
    if asked:
        yield named(asked, name, labels)
        return
    today = named(name, name, labels)
    for pinned in of_champions(store, universe, told):
        if pinned == today.model_version:
            continue
        try:
            yield of_version(pinned, name, labels)
        except (TextModelGone, CheckpointMissing) as error:
            told(f"the champion's texts are not scored: {error}")
    yield today


def inputs(store: Store, scope: Scope, version: str) -> str:
    """As JSON the views that the universe's champions read, or the recipe's, and the version."""
    # A view that the code has no longer is its champion's trouble alone: `predict` tells of it.
    read = {one.view for one in in_office(store, scope.universe)} & {*VIEWS.names()}
    told = {"views": ",".join(sorted(read or {scope.recipe.view})), "text_model": version}
    return orjson.dumps(told).decode()


def unscored(store: Store, as_of: datetime, snapshot: int, scorer: Scorer) -> pa.Table:
    """Unique texts (text_hash, text, known_at: first) of headlines known at `as_of` that it has
    not read."""
    known = store.read(HEADLINES, as_of, snapshot, columns=("text_hash", "text", "known_at"))
    unique = known.group_by("text_hash").aggregate([("text", "min"), ("known_at", "min")])
    done = _kept(store, SENTIMENTS, scorer)
    if scorer.embeds:
        # Versions of before scored texts and kept no embeddings of them.
        closed = unique.filter(_closed(unique["known_at_min"], scorer))["text_hash"]
        done &= _kept(store, EMBEDDINGS, scorer) | set(closed.to_pylist())
    scored = pa.array(sorted(done), pa.string())
    left = unique.filter(pc.invert(pc.is_in(unique["text_hash"], value_set=scored)))
    found = left.select(["text_hash", "text_min", "known_at_min"])
    return found.rename_columns(["text_hash", "text", "known_at"]).sort_by("text_hash")


def _closed(known_at: pa.ChunkedArray, scorer: Scorer) -> pa.ChunkedArray:
    # What was known by then may have taught it what came of it.
    if scorer.trained_until is None:
        return pa.chunked_array([[False] * len(known_at)], pa.bool_())
    return pc.less_equal(known_at, pa.scalar(scorer.trained_until, known_at.type))


def _kept(store: Store, table: Table, scorer: Scorer) -> set[str]:
    found = store.query(
        f"SELECT text_hash FROM {table.name} WHERE model_version = %s", (scorer.model_version,)
    )
    return set(found["text_hash"].to_pylist())


def score(store: Store, texts: pa.Table, scorer: Scorer, now: datetime) -> Iterator[int]:
    """Read and record in chunks, so that a broken run goes on where it ended; yields the count.

    texts: (text_hash, text, known_at). now: the time of scoring, kept with the rows. What was known
    by the scorer's `trained_until` is not read: its sentiment is NaN.
    """
    done = 0
    if scorer.trained_until is not None:
        before = _closed(texts["known_at"], scorer)
        hashes, texts = texts.filter(before)["text_hash"], texts.filter(pc.invert(before))
        nothing = Read.toned(np.full((len(hashes), len(ORDER)), np.nan))
        for table, rows in _rows(hashes, nothing, scorer.model_version, now).items():
            done += store.record(table, rows)
        yield done
    # Sorted by length over the whole: batches within a chunk are then even.
    order = pc.sort_indices(pc.utf8_length(texts["text"]))
    for start in range(0, texts.num_rows, scorer.chunk):
        part = texts.take(order.slice(start, scorer.chunk))
        found = scorer.read(part["text"].to_pylist())
        # A text counts as scored by its sentiment, so that comes last.
        for table, rows in _rows(part["text_hash"], found, scorer.model_version, now).items():
            store.record(table, rows)
        done += part.num_rows
        yield done


def _rows(
    hashes: pa.ChunkedArray, found: Read, version: str, now: datetime
) -> dict[Table, pa.Table]:
    count, width = found.embeddings.shape
    named = {"text_hash": hashes, "model_version": [version] * count}
    when = pa.array([now] * count, pa.timestamp("us", "UTC"))
    tones = {f"p_{word}": found.probabilities[:, place] for place, word in enumerate(ORDER)}
    sentiments = pa.table(named | tones | {"scored_at": when})
    if not width:
        return {SENTIMENTS: sentiments}
    flat = pa.array(found.embeddings.astype(np.float32).ravel())
    vectors = pa.FixedSizeListArray.from_arrays(flat, width).cast(REALS)
    embeddings = pa.table(named | {"vector": vectors, "embedded_at": when})
    return {EMBEDDINGS: embeddings, SENTIMENTS: sentiments}
