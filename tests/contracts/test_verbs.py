"""The verbs of the ground, as a task runs them."""

import errno
import json
import re
from datetime import UTC, datetime

import pyarrow as pa
import pytest
import typer
from typer.testing import CliRunner

from contracts import verbs
from contracts.__main__ import app
from contracts.expected import Expected
from contracts.registry import UnknownMember
from contracts.store import Provenance, Store
from contracts.tables import ACTIONS

SIMULATED = Provenance("load", "simulated", "simulated")


def answer(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def load(store: Store, day: int) -> None:
    when = datetime(2025, 6, day, 20, tzinfo=UTC)
    row = {"instrument_id": "SIM001", "ex_date": when.date(), "kind": "dividend"}
    row |= {"source": "simulated", "value": 1.0, "known_at": when}
    store.append(ACTIONS, pa.Table.from_pylist([row], schema=ACTIONS.schema), SIMULATED)


@pytest.mark.integration
def test_a_run_keeps_its_snapshot(store: Store) -> None:
    load(store, 2)
    assert answer("snapshot", "--run", "market_day/a") == "1"
    load(store, 3)
    assert answer("snapshot", "--run", "market_day/a") == "1"
    assert answer("snapshot", "--run", "market_day/b") == "2"
    assert answer("snapshot") == "2"


def test_ranges_cover_every_session_once() -> None:
    # The week of Thanksgiving 2024: four sessions.
    words = ["--first", "2024-11-25", "--last", "2024-12-02", "--sessions", "2"]
    assert json.loads(answer("ranges", *words)) == [
        {"first": "2024-11-25", "last": "2024-11-26"},
        {"first": "2024-11-27", "last": "2024-12-01"},
        {"first": "2024-12-02", "last": "2024-12-02"},
    ]


@pytest.mark.troubleshooting("holds no session of")
@pytest.mark.parametrize(
    ("first", "last"), [("2024-12-02", "2024-11-25"), ("2024-11-30", "2024-12-01")]
)
def test_a_range_without_a_session_is_refused_and_not_green(first: str, last: str) -> None:
    words = ["ranges", "--first", first, "--last", last, "--sessions", "2"]
    refused = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert refused.exit_code != 0 and "holds no session of XNYS" in refused.output


def room(failure: Exception) -> typer.Typer:
    """Verbs of which one fails."""
    made = typer.Typer(pretty_exceptions_enable=False)

    @made.command()
    def fails() -> None:
        raise failure

    return made


def ends(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("sys.argv", ["room"])
    with pytest.raises(SystemExit) as ended:
        verbs.run(room(failure))
    return str(ended.value.code)


class Unheard(Expected, LookupError):
    """A failure that no list of any room names."""


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (Unheard("nothing\n  is there"), "Unheard: nothing is there"),
        (UnknownMember("no source is named 'x'"), "UnknownMember: no source is named 'x'"),
        (FileNotFoundError(2, "No such file", "a.csv"), "FileNotFoundError: .* 'a.csv': name one"),
        (OSError(errno.ENOSPC, "No space left", "a.csv"), "DiskFull: no room to write in a.csv"),
        (MemoryError(), "OutOfMemory: no more could be had"),
    ],
)
def test_what_is_expected_ends_in_one_line(
    failure: Exception, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = ends(failure, monkeypatch)
    assert re.match(line, told) and "\n" not in told


@pytest.mark.parametrize("fault", [KeyError("x"), IndexError(), ValueError("x"), LookupError("x")])
def test_a_fault_of_ours_shows_where_it_happened(
    fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["room"])
    with pytest.raises(type(fault)):
        verbs.run(room(fault))


@pytest.mark.parametrize("wrong", ["2025-6-1", "20250601x", "yesterday", "2025-02-30"])
def test_a_day_that_is_none_is_a_wrong_command(wrong: str) -> None:
    words = ["ranges", "--first", wrong, "--last", "2025-06-30", "--sessions", "2"]
    refused = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert refused.exit_code == 2 and "expected a session as 2025-06-30" in refused.output
