"""The verbs' edge: what is expected to fail says so in one line."""

import os
import subprocess
import sys

import pytest


def call(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


OPTIONS = ("--session", "2025-06-30", "--snapshot", "1")
NOWHERE = "postgresql://nobody:secret@127.0.0.1:1/nothing"


@pytest.mark.parametrize(("room", "verb"), [("serving", "predict"), ("monitoring", "drift")])
def test_without_a_database_one_line_says_what_to_do(room: str, verb: str) -> None:
    for environment, told in (
        ({}, "FINPULSE_DATABASE_URL is unset"),
        ({"FINPULSE_DATABASE_URL": NOWHERE}, "StoreUnavailable: the database does not answer"),
        ({"FINPULSE_NONSENSE": "1"}, "unknown setting FINPULSE_NONSENSE"),
    ):
        done = call(room, verb, *OPTIONS, **environment)
        assert done.returncode == 1 and told in done.stderr
        assert "Traceback" not in done.stderr and "secret" not in done.stderr
