"""A folder for Ray ends with its process, or with the next one."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from training.run.scratch import scratch, scratch_root, sweep

HOLD = """
import sys, time
from pathlib import Path
from training.run.scratch import scratch
with scratch(Path(sys.argv[1])) as folder:
    Path(folder, "filled").write_bytes(b"x" * 1000)
    print(folder, flush=True)
    time.sleep(600)
"""


def held(home: Path) -> tuple["subprocess.Popen[str]", Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home)],
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


@pytest.fixture(params=["", "deep" * 20])
def home(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A state folder, also one too deep for sockets."""
    made: Path = tmp_path / request.param
    made.mkdir(exist_ok=True)
    return made


def left(home: Path) -> list[Path]:
    links = [p for p in Path(tempfile.gettempdir()).glob("finpulse-ray-*") if p.is_symlink()]
    ours = [p for p in links if str(p.readlink()).startswith(str(home))]
    return [*ours, *scratch_root(home).glob("*")]


def test_it_lies_under_the_state_folder_short_enough_for_sockets(home: Path) -> None:
    with scratch(home) as folder:
        assert len(folder) < 60
        Path(folder, "x").write_text("x")
        assert list(scratch_root(home).glob("*/x"))
    assert left(home) == []


def test_a_killed_owners_folder_is_removed_and_a_living_ones_stays(home: Path) -> None:
    killed, lost = held(home)
    living, used = held(home)
    try:
        killed.send_signal(signal.SIGKILL)
        killed.wait(30)
        assert (lost / "filled").exists()
        sweep(home)
        assert not lost.exists() and (used / "filled").exists()
    finally:
        living.kill()
        living.wait(30)
    sweep(home)
    assert left(home) == []


def test_no_other_homes_folder_is_touched(tmp_path: Path) -> None:
    living, used = held(tmp_path / "other")
    try:
        sweep(tmp_path / "mine")
        assert (used / "filled").exists()
    finally:
        living.kill()
        living.wait(30)
