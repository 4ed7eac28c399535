"""The rules inside Spark: Arrow batches of buckets of instruments (headlines: of their ids)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from contracts.spark import session
from etl.batch.batch import Manifest
from etl.quality.clean import Judge, in_process
from etl.rules import Context, bucketed_by, judge_arrow, judged_schema

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# A batch, and in it a table, of fewer raw rows is judged sooner in this process than it takes to
# start Java, or a job; both give the same values.
WORTH_ROWS = 1_000
_BUCKETS = 4  # at least; one per core on a larger master
_OPTIONS = {
    "spark.driver.memory": "1g",
    "spark.sql.shuffle.partitions": str(_BUCKETS),
    # With so few rows its extra stages cost more than they save.
    "spark.sql.adaptive.enabled": "false",
}


@contextmanager
def spark_judge(master: str, objects: str, worth_rows: int = WORTH_ROWS) -> Iterator[Judge]:
    """A judge that works in Spark and ends with the block; smaller tables are judged here.

    master: a Spark master. objects: the object store's root, as Spark reads it. JAVA_HOME names
    Java 17 or newer, or `java` is on the path.
    """
    with session(master, "etl", _OPTIONS) as spark:

        def judge(held: Manifest, table: str, context: Context) -> pa.Table:
            if held.rows[table] < worth_rows:
                return in_process(held, table, context)
            return _judged(spark, objects, held, table, context)

        yield judge


def _judged(
    spark: "SparkSession", objects: str, held: Manifest, table: str, context: Context
) -> pa.Table:
    from pyspark.sql import functions
    from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

    answer = from_arrow_schema(judged_schema(table))
    types = to_arrow_schema(answer, timezone="UTC")

    def judge(raw: pa.Table) -> pa.Table:
        return judge_arrow(table, raw, context).cast(types)

    buckets = max(_BUCKETS, spark.sparkContext.defaultParallelism)
    bucket = functions.pmod(functions.hash(bucketed_by(table)), functions.lit(buckets))
    raw = spark.read.parquet(*[f"{objects}/{key}" for key in held.parts[table]])
    return raw.groupBy(bucket).applyInArrow(judge, answer).toArrow().cast(judged_schema(table))
