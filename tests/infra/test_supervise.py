"""A real supervisord with small programs, and a real Postgres in a closed folder."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import down
import ports
import postgres
import psutil
import pytest
from processes import MARK, end, marked
from programs import Program, base_environment
from stack import Stack, StackError, asked_settings
from supervise import Starts, Supervisor

pytestmark = pytest.mark.integration


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for name in ports.NAMES:
        monkeypatch.setenv(f"FINPULSE_{name.upper()}", str(postgres.free_port()))
    stack = Stack.of(asked_settings())
    yield stack
    assert down.stop(stack.home) == []


def sleeper(stack: Stack, name: str, value: str = "") -> Program:
    return Program(name, ("sleep", "1000"), {MARK: str(stack.home), "VALUE": value})


def wait_for(supervisor: Supervisor, name: str, state: str) -> int:
    for _ in range(600):
        info = supervisor.info(name)
        if info["statename"] == state:
            return int(info["pid"])
        time.sleep(0.1)
    raise AssertionError(info)


def test_a_changed_configuration_touches_only_what_changed(stack: Stack) -> None:
    supervisor = Supervisor(stack.home)
    programs = [sleeper(stack, "one"), sleeper(stack, "two")]
    assert supervisor.apply(stack, programs) == []
    for program in programs:
        supervisor.start(program.name)
    before = [wait_for(supervisor, name, "RUNNING") for name in ("one", "two")]
    changed = [programs[0], sleeper(stack, "two", "changed"), sleeper(stack, "three")]
    assert supervisor.apply(stack, changed) == ["two"]
    for program in changed:
        supervisor.start(program.name)
    after = [wait_for(supervisor, name, "RUNNING") for name in ("one", "two", "three")]
    assert after[0] == before[0] and after[1] != before[1]
    assert psutil.Process(after[1]).environ()["VALUE"] == "changed"


def test_a_killed_program_comes_back(stack: Stack) -> None:
    supervisor = Supervisor(stack.home)
    supervisor.apply(stack, [sleeper(stack, "one")])
    supervisor.start("one")
    pid = wait_for(supervisor, "one", "RUNNING")
    os.kill(pid, signal.SIGKILL)
    for _ in range(600):
        if supervisor.info("one")["pid"] not in (0, pid):
            break
        time.sleep(0.1)
    assert wait_for(supervisor, "one", "RUNNING") != pid


def test_a_program_that_keeps_failing_is_named_with_its_log(stack: Stack) -> None:
    supervisor = Supervisor(stack.home)
    failing = (sys.executable, "-c", "print(1/0)")
    supervisor.apply(stack, [Program("broken", failing, {MARK: str(stack.home)})])
    supervisor.start("broken")
    starts = Starts(supervisor)
    with pytest.raises(StackError, match=r"broken does not stay up(?s:.*)ZeroDivisionError"):
        for _ in range(600):
            starts.check("broken")
            time.sleep(0.1)


def test_an_orphan_is_known_to_be_ours_and_ended(tmp_path: Path) -> None:
    environment = {**os.environ, MARK: str(tmp_path)}
    subprocess.run(["sh", "-c", "sleep 1000 & exit"], env=environment, check=True)
    for _ in range(600):
        orphans = marked(tmp_path)
        if [p.name() for p in orphans] == ["sleep"]:  # Between fork and exec it is a shell still.
            break
        time.sleep(0.1)
    assert [p.name() for p in orphans] == ["sleep"]
    end(orphans, 5)
    assert marked(tmp_path) == []


def test_a_program_that_renames_itself_is_known_to_be_ours(stack: Stack) -> None:
    # As Airflow and gunicorn do, which write over the memory that /proc shows.
    code = "import setproctitle, time; setproctitle.setproctitle('x' * 99); time.sleep(1000)"
    environment = os.environ | base_environment(stack)
    renamed = psutil.Popen([sys.executable, "-c", code], env=environment)
    try:
        for _ in range(600):
            if "xx" in "".join(renamed.cmdline()):  # Between fork and exec there is none.
                break
            time.sleep(0.1)
        assert marked(stack.home) == [renamed]
    finally:
        end([renamed], 5)


def test_postgres_runs_in_a_folder_that_others_cannot_enter(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    password, port = postgres.new_password(), postgres.free_port()
    postgres.initialise(closed / "data", password)
    server = subprocess.Popen(
        postgres.command(closed / "data", "127.0.0.1", port),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )
    try:
        url = postgres.url("127.0.0.1", port, password, "postgres")
        postgres.wait(url, 30)
        postgres.create_database(url, "made")
        postgres.create_database(url, "made")
        with pytest.raises(postgres.PostgresError, match="password"):
            postgres.wait(url.replace(password, "wrong"), 0.1)
        assert psutil.Process(server.pid).uids().effective != 0
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
