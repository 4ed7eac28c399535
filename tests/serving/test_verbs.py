"""The verbs' edge: what is expected to fail says so in one line."""

import os
import subprocess
import sys

import pytest

from contracts.store import Store


def call(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


OPTIONS = ("--session", "2025-06-30", "--snapshot", "1")
NOWHERE = "postgresql://nobody:secret@127.0.0.1:1/nothing"
VERBS = (
    *(("contracts", "snapshot"), ("contracts", "migrate")),
    ("features", "materialise", "--last", "2025-06-30"),
    *(("training", verb, *OPTIONS) for verb in ("score-text", "zero", "tune", "contest")),
    *(("training", "report"), ("training", "rollback", "--reason", "why")),
    *(("serving", "predict", *OPTIONS), ("monitoring", "drift", *OPTIONS), ("monitoring", "trim")),
    ("etl", "append", "--first", "2025-06-30", "--last", "2025-06-30"),
)


def one_line(done: subprocess.CompletedProcess[str], told: str) -> None:
    """It failed, and said so in one line."""
    said = done.stderr.strip().splitlines()
    assert done.returncode == 1 and told in said[-1], done.stderr
    assert "Traceback" not in done.stderr and "secret" not in done.stderr


ROOMS = tuple({words[0]: words for words in reversed(VERBS)}.values())


@pytest.mark.parametrize("words", ROOMS, ids=lambda words: " ".join(words[:2]))
def test_an_unknown_setting_is_told_by_every_room(words: tuple[str, ...]) -> None:
    one_line(call(*words, FINPULSE_NONSENSE="1"), "unknown setting FINPULSE_NONSENSE")


@pytest.mark.integration
@pytest.mark.parametrize("words", VERBS, ids=lambda words: " ".join(words[:2]))
def test_without_a_database_one_line_says_what_to_do(words: tuple[str, ...]) -> None:
    # `etl append` looks for its batch first.
    told = "NotCollected" if words[0] == "etl" else "StoreUnavailable: the database does not answer"
    one_line(call(*words, FINPULSE_DATABASE_URL=NOWHERE), told)


@pytest.mark.parametrize("url", ["", "host=me password=secret", "mysql://me:secret@x/y"])
def test_a_url_that_is_none_is_told_without_it(url: str) -> None:
    one_line(call("contracts", "snapshot", FINPULSE_DATABASE_URL=url), "FINPULSE_DATABASE_URL")


@pytest.mark.troubleshooting("TablesMissing: ... create the tables with")
@pytest.mark.integration
@pytest.mark.parametrize("words", VERBS[:6], ids=lambda words: " ".join(words[:2]))
def test_a_database_without_tables_is_told(postgres_url: str, words: tuple[str, ...]) -> None:
    if words[1] == "migrate":
        words = ("contracts", "snapshot")
    done = call(*words, FINPULSE_DATABASE_URL=postgres_url)
    one_line(done, "create the tables with `python -m contracts migrate`")
    assert done.stderr.splitlines()[-1].startswith("TablesMissing: ")


@pytest.mark.troubleshooting("no recipe is named ...")
@pytest.mark.integration
def test_what_does_not_exist_is_named_in_one_line(store: Store) -> None:
    for words, told in (
        (("tune", *OPTIONS, "--recipe", "nope"), "no recipe is named 'nope'"),
        (("view", "--recipe", "nope; touch x"), "no recipe is named"),
        (("zero", *OPTIONS, "--universe", "nope"), "no session of nope is materialised"),
        (("fit", *OPTIONS, "--expert", "nope"), "nope"),
        (("tune", *OPTIONS), "no session of"),
        (("promote", *OPTIONS), "run `python -m training"),
        (("rollback", "--reason", "x", "--universe", "nope"), "nope"),
        (("zero", "--session", "2025-06-29", "--snapshot", "1"), "2025-06-29"),
    ):
        one_line(call("training", *words, FINPULSE_MLFLOW_URL="http://127.0.0.1:1"), told)
    assert "no recipe is named" in call("training", "view", "--recipe", "nope").stderr
