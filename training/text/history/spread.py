"""The same reading inside Spark, for histories: texts as Arrow batches, a model in each worker."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa

from contracts.settings import settings
from contracts.spark import session as any_session
from training.text.scorer import Read, Scorer

_ANSWER = "place bigint, probabilities array<double>, embedding array<double>"
_CHUNK = 20_000  # recorded at once: a job has to be worth its start


@dataclass(frozen=True)
class Spread(Scorer):
    """A scorer whose texts are read by Spark's workers, which open it by its version."""

    session: Any = None

    def read(self, texts: Sequence[str]) -> Read:
        """As the scorer does, in the order of `texts`; each text by itself, so exactly so."""
        if not texts:
            return super().read(texts)
        count = self.session.sparkContext.defaultParallelism
        # Neighbours are of like length: dealt out, every worker has its share of long ones.
        places = np.concatenate([np.arange(start, len(texts), count) for start in range(count)])
        dealt = pa.table({"place": places, "text": [texts[place] for place in places]})
        frame = self.session.createDataFrame(dealt).coalesce(count)
        found = frame.mapInArrow(_worker(self.model_version), _ANSWER).toArrow()
        found = found.sort_by("place")
        return Read(*(np.array(found[n].to_pylist()) for n in ("probabilities", "embedding")))


@contextmanager
def spread(scorers: Iterator[Scorer]) -> Iterator[Iterator[Scorer]]:
    """The scorers inside a Spark session that ends with the block."""
    with any_session(settings().spark_master, "texts", {}) as session:

        def each() -> Iterator[Scorer]:
            for one in scorers:
                one.read(["."])  # what is not kept yet is made here, once
                own = {field.name: getattr(one, field.name) for field in fields(Scorer)}
                yield Spread(**own | {"chunk": _CHUNK}, session=session)

        yield each()


def _worker(version: str) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    known = settings()
    name, labels = known.text_model, known.text_labels
    # A worker elsewhere knows no settings of this process; it reads on the thread that it is.
    told = {n: v for n, v in os.environ.items() if n.startswith("FINPULSE_")}
    told |= {"FINPULSE_HOME": str(known.home.absolute()), "OMP_NUM_THREADS": "1"}

    def work(parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        os.environ.update(told)
        from training.text.named import of_version

        scorer = of_version(version, name, labels)
        for part in parts:
            found = scorer.read(part["text"].to_pylist())
            columns = [part["place"], found.probabilities.tolist(), found.embeddings.tolist()]
            yield pa.RecordBatch.from_arrays(
                [pa.array(columns[0]), *(pa.array(x, pa.list_(pa.float64())) for x in columns[1:])],
                ["place", "probabilities", "embedding"],
            )

    return work
