"""The same evaluation inside Spark: buckets of instruments as Arrow batches, sessions here.

For long histories and large universes: a bucket's rows are all that a worker holds. Features across
a session need one number per instrument of it and are computed where the call is made.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import DTypeLike

from contracts.spark import session as any_session
from features.engine import by_session, evaluate, read_across, require_one_edition
from features.feature import Feature, find
from features.panel.panel import Panel
from features.panel.series import Numbers

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# A whole history comes back to the driver.
_OPTIONS = {
    "spark.driver.memory": "4g",
    "spark.driver.maxResultSize": "0",
    "spark.sql.adaptive.enabled": "false",
}
_ROW, _SEGMENT = "row", "segment"


@contextmanager
def spark_session(master: str) -> Iterator["SparkSession"]:
    """A session for `evaluate_in_spark` that ends with the block. master: a Spark master."""
    with any_session(master, "features", _OPTIONS) as session:
        yield session


def evaluate_in_spark(
    session: "SparkSession",
    panel: Panel,
    features: Sequence[Feature],
    *,
    dtype: DTypeLike = np.float64,
    buckets: int = 0,
) -> dict[str, Numbers]:
    """What `evaluate` gives, per row of the panel, computed in float64 by Spark's workers.

    buckets: of whole segments, one Arrow batch each; by default one per core of the cluster. The
    workers know the features by name: those of `features/columns` alone can be asked.
    """
    require_one_edition(features)
    across = [feature for feature in features if feature.cross_section]
    own = {f.name: f for f in (*features, *read_across(across)) if not f.cross_section}
    count = buckets or session.sparkContext.defaultParallelism
    values = _by_bucket(session, panel, list(own.values()), count)
    if across:
        out = {feature.name: np.empty(len(panel.session)) for feature in across}
        by_session(panel, across, values, out)
        values |= out
    return {f.name: values[f.name].astype(dtype, copy=False) for f in features}


def _by_bucket(
    session: "SparkSession", panel: Panel, features: Sequence[Feature], buckets: int
) -> dict[str, Numbers]:
    from pyspark.sql import functions

    names, edition = [feature.name for feature in features], features[0].edition
    read = sorted(set().union(*(feature.columns for feature in features)))
    rows = {_ROW: np.arange(len(panel.session)), _SEGMENT: panel.segment}
    frame = session.createDataFrame(pa.table(rows | {n: panel.columns[n] for n in read}))
    bucket = functions.pmod(functions.col(_SEGMENT), functions.lit(buckets))
    answer = ", ".join([f"{_ROW} bigint", *(f"`{name}` double" for name in names)])
    found = frame.groupBy(bucket).applyInArrow(_worker(names, edition), answer).toArrow()
    order = np.argsort(found[_ROW].to_numpy())
    return {name: found[name].to_numpy()[order] for name in names}


def _worker(names: Sequence[str], edition: int) -> Callable[[pa.Table], pa.Table]:
    def work(part: pa.Table) -> pa.Table:
        part = part.take(pc.sort_indices(part, [(_ROW, "ascending")]))
        values = evaluate(_panel(part), [find(name, edition) for name in names], threads=1)
        return pa.table({_ROW: part[_ROW]} | {name: values[name] for name in names})

    return work


def _panel(part: pa.Table) -> Panel:
    segments, starts = np.unique(part[_SEGMENT].to_numpy(), return_index=True)
    rows, count = part.num_rows, len(segments)
    columns = part.drop_columns([_ROW, _SEGMENT])
    return Panel(
        columns={name: columns[name].to_numpy() for name in columns.column_names},
        offsets=np.append(starts, rows),
        instruments=tuple(map(str, segments)),
        ended=np.full(count, np.datetime64("NaT", "us")),
        session=np.zeros(rows, "datetime64[D]"),
        as_of=np.zeros(rows, "datetime64[us]"),
        decided=np.ones(rows, bool),
    )
