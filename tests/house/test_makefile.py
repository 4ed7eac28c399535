"""The set-up starts from any Python that runs pip, and fetches nothing that is at hand."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# In pip's place: what it is asked for, and a uv that writes down what it is asked for.
PYTHON = """#!/bin/sh
here=$(dirname "$0")
if [ "$1" = -c ]; then
  case "$2" in
    *version_info*)
      exec {real} -c "import sys; sys.version_info = {version}; sys.executable = '$0'
$2" ;;
  esac
  exit 0
fi
echo "python $*" >> "$here/asked"
if [ "$1 $2 $3 $4" = "-m pip install -q" ]; then
  mkdir -p .tools/bin && cp "$here/uv" .tools/bin/uv
fi
exit {status}
"""
UV = """#!/bin/sh
echo "uv $*" >> {asked}
if [ "$1" = venv ]; then mkdir -p .venv/bin && cp {python} .venv/bin/python; fi
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout with what the set-up reads."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def setup(folder: Path, version: tuple[int, int], status: int = 0) -> tuple[int, str, list[str]]:
    """`make setup` with a Python of that version; exit status, output, and what was asked for."""
    fakes = folder / "fakes"
    fakes.mkdir()
    text = PYTHON.format(real=shutil.which("python3"), version=(*version, 0), status=status)
    python = program(fakes / "python", text)
    program(fakes / "uv", UV.format(asked=fakes / "asked", python=python))
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "setup", f"PYTHON={python}"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    asked = (fakes / "asked").read_text().splitlines()
    return done.returncode, done.stdout, asked


@pytest.mark.parametrize("version", [(3, 8), (3, 10), (3, 12), (3, 13), (3, 14)])
def test_another_python_installs_uv_and_uv_brings_the_right_one(
    folder: Path, version: tuple[int, int]
) -> None:
    status, output, asked = setup(folder, version)
    assert status == 0, output
    assert asked[0].startswith("python -m pip install -q --target .tools uv==")
    assert asked[1] == "uv venv -q --python 3.11 .venv"


def test_a_311_is_used_itself(folder: Path) -> None:
    status, output, asked = setup(folder, (3, 11))
    assert status == 0, output
    assert asked[1] == f"uv venv -q --python {folder}/fakes/python .venv"
    assert not any("python install" in line for line in asked)


@pytest.mark.skipif(shutil.which("flock") is None, reason="no flock on this machine")
def test_two_set_ups_at_once_make_one_environment(folder: Path) -> None:
    assert setup(folder, (3, 11))[0] == 0
    shutil.rmtree(folder / ".venv")
    (folder / "fakes" / "asked").unlink()
    command = ["make", "setup", f"PYTHON={folder}/fakes/python"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    both = [subprocess.Popen(command, cwd=folder, env=environment) for _ in range(2)]
    assert [each.wait(300) for each in both] == [0, 0]
    asked = (folder / "fakes" / "asked").read_text().splitlines()
    assert sum("uv venv" in line for line in asked) == 1


@pytest.mark.troubleshooting("could not install uv with pip")
def test_a_python_without_pip_is_told_in_one_line(folder: Path) -> None:
    status, output, _ = setup(folder, (3, 12), status=1)
    assert status != 0
    assert "could not install uv with pip: install pip for it, or set PYTHON" in output
