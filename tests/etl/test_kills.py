"""Real kills at random moments, a full disk, a lost database: nothing is lost, and it is said."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import postgres as launcher
import pytest

from contracts.settings import settings
from contracts.store import Store
from contracts.tables import TABLES
from etl.batch.staging import ORDER

pytestmark = pytest.mark.integration

FIRST, LAST = "2025-05-05", "2025-06-30"
WORDS = ("--universe", "test", "--first", FIRST, "--last", LAST)
MARKET = {"FINPULSE_SIM_INSTRUMENTS": "4", "FINPULSE_SIM_SESSIONS": "60"}
LATER = datetime(2030, 1, 1, tzinfo=UTC)
Rows = list[dict[str, Any]]


def verb(*words: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "etl", *words, *WORDS],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def done(*words: str, **environment: str) -> None:
    process = verb(*words, **environment)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err


def facts(store: Store) -> dict[str, Rows]:
    """All versions of all facts, without what tells when they were loaded."""
    return {
        name: store.versions(TABLES[name], LATER, 1 << 40, columns=TABLES[name].names).to_pylist()
        for name in ORDER
    }


@pytest.fixture(scope="module")
def clean_run(
    postgres_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Rows]:
    """What one run that nobody disturbs leaves behind, in a place of its own."""
    name = f"test_{uuid4().hex}"
    launcher.create_database(postgres_url, name, template)
    url = postgres_url.rsplit("/", 1)[0] + f"/{name}"
    place = {"FINPULSE_HOME": str(tmp_path_factory.mktemp("home")), "FINPULSE_DATABASE_URL": url}
    for words in (("collect",), ("clean", "--in-process"), ("append",)):
        done(*words, **place, **MARKET)
    found = facts(Store(url))
    launcher.drop_database(postgres_url, name)
    assert all(found.values())
    return found


@pytest.fixture(autouse=True)
def market(monkeypatch: pytest.MonkeyPatch) -> None:
    """The market of the clean run, for this process and its children."""
    for name, value in MARKET.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()


def killed(moment: float, *words: str) -> int:
    """Start the verb and kill it after so many seconds; returns its exit status."""
    process = verb(*words)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode


@pytest.mark.slow
def test_killed_at_random_moments_the_tables_are_those_of_a_clean_run(
    store: Store, clean_run: dict[str, Rows]
) -> None:
    seed = int(time.time())
    draw = random.Random(seed)
    steps = {"collect": (), "clean": ("--in-process",), "append": (), "load": ("--in-process",)}
    started = time.monotonic()
    done("collect")
    took = time.monotonic() - started
    kills = 0
    for step, options in steps.items():
        for _ in range(2):
            # From the verb's start to about its end: each takes about as long as collecting.
            kills += killed(draw.uniform(0.3, 1.0) * took, step, *options) == -signal.SIGKILL
        done(step, *options)
    assert kills >= 4, f"seed {seed}: too few verbs were killed before they ended"
    assert facts(store) == clean_run, f"seed {seed}"
    assert store.query("SELECT count(*) n FROM rejected")["n"].to_pylist() == [0]


@pytest.mark.troubleshooting("DiskFull: no room to write in ...")
def test_a_full_disk_is_named_and_the_next_run_is_whole(
    store: Store, clean_run: dict[str, Rows]
) -> None:
    process = verb("collect")
    # No file of that process can grow beyond a few kilobytes.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (8192, 8192))
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    [line] = err.strip().splitlines()
    assert line.startswith(f"DiskFull: no room to write in {settings().objects}: File too large")
    for words in (("collect",), ("clean", "--in-process"), ("append",)):
        done(*words)
    assert facts(store) == clean_run


@pytest.mark.troubleshooting("the database does not answer")
def test_a_database_that_is_not_there_is_named(store: Store) -> None:
    nowhere = "postgresql://user:secret@127.0.0.1:9/finpulse"
    process = verb("load", "--in-process", FINPULSE_DATABASE_URL=nowhere)
    _, err = process.communicate(timeout=120)
    last = err.strip().splitlines()[-1]
    assert process.returncode == 1 and "secret" not in err
    assert "the database does not answer" in err and "FINPULSE_DATABASE_URL" in last


def test_a_database_lost_on_the_way_is_named_and_the_next_run_is_whole(
    store: Store, clean_run: dict[str, Rows]
) -> None:
    done("collect")
    done("clean", "--in-process")
    with store.connect() as connection, connection.cursor() as cursor:
        # The loader comes as far as the bars, and loses its connection while it waits for them.
        cursor.execute("LOCK TABLE bars IN ACCESS EXCLUSIVE MODE")
        process = verb("append")
        lost = False
        while not lost and process.poll() is None:
            time.sleep(0.05)
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks "
                "WHERE relation = 'bars'::regclass AND NOT granted"
            )
            lost = bool(cursor.fetchall())
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    [line] = err.strip().splitlines()
    assert line.startswith("StoreUnavailable: the database was lost: ")
    done("append")
    assert facts(store) == clean_run


# A market far too large for the 256 MiB that the process may take beside its libraries.
_CONFINED = """
import resource, sys
import numpy, polars, pyarrow
from etl.__main__ import main
from etl.source import SOURCES
SOURCES.get("simulated")
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
sys.argv = ["etl", "collect"]
main()
"""


@pytest.mark.troubleshooting("OutOfMemory: ...; load fewer sessions at a time")
def test_too_little_memory_is_named(tmp_path: Path) -> None:
    huge = {"FINPULSE_SIM_INSTRUMENTS": "20000", "FINPULSE_SIM_SESSIONS": "3000"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _CONFINED],
        env=os.environ | huge,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    [line] = done.stderr.strip().splitlines()
    assert line.startswith("OutOfMemory: ") and "; load fewer sessions at a time" in line
