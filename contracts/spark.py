"""A Spark session, for rooms that hand work to a cluster or to the cores of this machine."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_OPTIONS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.log.level": "ERROR",
    # All work is done in Python: code generated for the few steps around it costs seconds.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    # The session is short: compiling everything well costs twice what it saves.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}


@contextmanager
def session(master: str, name: str, options: Mapping[str, str]) -> Iterator["SparkSession"]:
    """A session that ends with the block.

    master: a Spark master. options: beside ours. JAVA_HOME names Java 17 or newer, or `java` is on
    the path.
    """
    started = _session(master, name, {**_OPTIONS, **options})
    try:
        yield started
    finally:
        started.stop()


def _session(master: str, name: str, options: Mapping[str, str]) -> "SparkSession":
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(master).appName(f"finpulse-{name}")
    if master.startswith("local"):
        # A laptop's host name may resolve to an address that does not answer.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    for key, value in options.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()
