"""The comparison's features inside Spark: Arrow batches of buckets of symbols, ours or Polars'."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from features_peers import NAMES

if TYPE_CHECKING:
    import pyarrow as pa

_BUCKETS = 16
_HERE = Path(__file__).resolve().parent
_OPTIONS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.memory": "4g",
    "spark.sql.shuffle.partitions": str(_BUCKETS),
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "100000",
    "spark.log.level": "ERROR",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
}


def spark_engine(inside: str) -> Callable[[Path], int]:
    """Start Spark on both cores; each run computes all buckets and leaves the rows in Spark."""
    sys.path.insert(1, str(_HERE.parent / "infra" / "local"))
    from java import java_home
    from pyspark.sql import SparkSession, functions
    from pyspark.sql.types import DateType, FloatType, StringType, StructType

    os.environ["JAVA_HOME"] = str(java_home(Path(".finpulse/java").resolve()))
    os.environ["PYTHONPATH"] = str(_HERE)  # the workers find this file
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    builder = SparkSession.builder.master("local[2]").appName("features")
    for key, value in _OPTIONS.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    schema = StructType().add("symbol", StringType()).add("date", DateType())
    for name in NAMES:
        schema = schema.add(name, FloatType())
    work = {"ours": ours_inside, "polars": polars_inside}[inside]

    def run(path: Path) -> int:
        bucket = functions.pmod(functions.hash("symbol"), functions.lit(_BUCKETS))
        bars = session.read.parquet(str(path))
        found = bars.groupBy(bucket).applyInArrow(work, schema)
        found.write.format("noop").mode("overwrite").save()
        return 0

    return run


def ours_inside(bars: "pa.Table") -> "pa.Table":
    """One bucket by our engine, on the worker's one core."""
    from features_engines import ours

    ordered = bars.sort_by([("symbol", "ascending"), ("date", "ascending")]).combine_chunks()
    place = ordered.schema.get_field_index("symbol")
    encoded = ordered.set_column(place, "symbol", ordered["symbol"].dictionary_encode())
    return _keyed(ordered, ours(encoded.combine_chunks(), threads=1))


def polars_inside(bars: "pa.Table") -> "pa.Table":
    """One bucket by Polars."""
    import polars as pl
    from features_peers import by_polars

    ordered = bars.sort_by([("symbol", "ascending"), ("date", "ascending")])
    frame = pl.from_arrow(ordered)
    assert isinstance(frame, pl.DataFrame)
    return _keyed(ordered, by_polars(frame).cast(pl.Float32).to_arrow())


def _keyed(bars: "pa.Table", found: "pa.Table") -> "pa.Table":
    import pyarrow as pa

    return pa.table([bars["symbol"], bars["date"], *found.columns], ["symbol", "date", *NAMES])
