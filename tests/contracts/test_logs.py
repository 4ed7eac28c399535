"""A line of log: what it holds, whatever was given to it."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import orjson

from contracts.logs import JsonFormatter


def test_a_line_holds_the_fields_and_when() -> None:
    record = logging.makeLogRecord({"name": "a.b", "levelname": "WARNING", "msg": "%s of %d"})
    record.args, record.created = ("one", 2), 1_735_689_600.25
    vars(record).update({"symbol": "AAA", "folder": Path("/x"), "caller": None})
    line = orjson.loads(JsonFormatter().format(record))
    assert datetime.fromisoformat(line.pop("time")) == datetime(2025, 1, 1, 0, 0, 0, 250_000, UTC)
    assert line == {
        **{"level": "warning", "logger": "a.b", "message": "one of 2"},
        **{"symbol": "AAA", "folder": "/x", "caller": None},
    }


def test_an_error_brings_its_traceback() -> None:
    try:
        raise KeyError("gone")
    except KeyError as error:
        about = (KeyError, error, error.__traceback__)
    record = logging.makeLogRecord({"name": "a", "msg": "failed", "exc_info": about})
    line = orjson.loads(JsonFormatter().format(record))
    assert "KeyError: 'gone'" in line["traceback"] and "\n" in line["traceback"]
