"""Signals are heard while a statement hangs, and cut off nothing that could have heard them."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mortal import Mortal

from contracts.signals import given_up_when_told, heard

ROOT = Path(__file__).resolve().parents[2]

# A verb in the middle of a statement; with a handler of ours it tells what it closes.
VERB = """
import signal, sys, typer
from contracts import verbs
from contracts.signals import leave
from contracts.store import Store

app = typer.Typer(pretty_exceptions_enable=False)

@app.command()
def ask(url: str, seconds: int) -> None:
    signal.signal(signal.SIGTERM, leave)
    try:
        with Store(url).connect() as connection, connection.cursor() as cursor:
            print("asks", flush=True)
            cursor.execute("SELECT pg_sleep(%s)", (seconds,))
    finally:
        print("closed", flush=True)

verbs.run(app)
"""


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Mortal]:
    """A Postgres of this test's own."""
    server = Mortal(tmp_path / "postgres")
    yield server
    server.end()


@pytest.mark.integration
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("hung", [True, False])
def test_a_verb_whose_statement_waits_ends_when_told(
    mortal: Mortal, number: signal.Signals, hung: bool
) -> None:
    mortal(True)
    command = [sys.executable, "-c", VERB, mortal.url, "600"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=os.environ) as verb:
        assert verb.stdout and verb.stdout.readline() == b"asks\n"
        if hung:
            mortal.hang(True)
        verb.send_signal(number)
        assert verb.wait(60) == {signal.SIGTERM: 143, signal.SIGINT: 130}[number]
        assert verb.stdout.read() == b"closed\n"


@pytest.mark.integration
@pytest.mark.parametrize("held", [0, pytest.param(90, marks=pytest.mark.slow)])
def test_a_verb_goes_on_when_the_database_does_and_one_begun_meanwhile_says_so(
    mortal: Mortal, held: float
) -> None:
    mortal(True)
    command = [sys.executable, "-c", VERB, mortal.url, "1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=os.environ) as verb:
        assert verb.stdout and verb.stdout.readline() == b"asks\n"
        mortal.hang(True)
        over = time.monotonic() + held
        later = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert later.returncode == 1
        assert re.fullmatch("StoreUnavailable: .*does not answer.*\n", later.stderr)
        time.sleep(max(0.0, over - time.monotonic()))
        assert verb.poll() is None
        mortal.hang(False)
        assert verb.wait(60) == 0


def test_only_what_hinders_the_handler_is_given_up() -> None:
    told, given_up, handled = threading.Event(), threading.Event(), threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: handled.set())
    try:
        with heard():
            with given_up_when_told(told.set):
                os.kill(os.getpid(), signal.SIGUSR1)
            assert handled.wait(30)
            # What a handler begins, or what is closed after it, is left alone.
            with given_up_when_told(given_up.set):
                assert not given_up.wait(2)
        assert not told.is_set()
        assert signal.set_wakeup_fd(-1) == -1, "the caller's own is back"
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_another_threads_statement_is_left_alone() -> None:
    given_up = threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    inside, over = threading.Event(), threading.Event()

    def ask() -> None:
        with given_up_when_told(given_up.set):
            inside.set()
            over.wait(60)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        with heard():
            assert inside.wait(30)
            os.kill(os.getpid(), signal.SIGUSR1)
            assert not given_up.wait(2)
    finally:
        over.set()
        thread.join()
        signal.signal(signal.SIGUSR1, before)


def test_what_a_forked_child_hears_ends_no_statement_of_its_parents() -> None:
    given_up = threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with heard(), given_up_when_told(given_up.set):
            child = os.fork()
            if child == 0:
                os.kill(os.getpid(), signal.SIGUSR1)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            assert not given_up.wait(2)
    finally:
        signal.signal(signal.SIGUSR1, before)
