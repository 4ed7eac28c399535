"""Under CI a skip is a failure, whatever its reason but the machine's nature."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import pytest

def test_well(): pass

@pytest.mark.skipif(True, reason="no promtool")
def test_tool(): pass

def test_folder(): pytest.skip("FINPULSE_TEST_DATA is unset")

@pytest.fixture
def data(): pytest.skip("no folder")

def test_fixture(data): pass

@pytest.mark.skipif(True, reason="an ordinary user needs no detour")
def test_nature(): pass

@pytest.mark.xfail(strict=True)
def test_expected(): assert False
"""


@pytest.mark.parametrize(
    ("ci", "told"),
    [
        ("true", {"passed": "1", "skipped": "1", "xfailed": "1"}),
        ("", {"passed": "1", "skipped": "4", "xfailed": "1"}),
    ],
)
def test_skips_fail_under_ci_and_only_there(tmp_path: Path, ci: str, told: dict[str, str]) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    environment = os.environ | {"CI": ci, "PYTHONPATH": str(ROOT / "tests" / "fixtures")}
    environment.pop("PYTEST_XDIST_WORKER", None)
    command = ["-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(tmp_path)]
    command += ["-p", "no_skips", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True
    )
    last = done.stdout.strip().splitlines()[-1]
    found = {name: count for count, name in re.findall(r"(\d+) (\w+)", last)}
    failed = int(found.pop("failed", 0)) + int(found.pop("error", 0) or found.pop("errors", 0))
    assert (found, failed) == (told, 3 if ci else 0)
    assert (done.returncode != 0) == bool(ci)


def test_both_kinds_of_ci_ask_for_it_and_install_the_tools() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert "export CI=true" in script
    for text in (script, workflow):  # GitHub sets CI itself.
        assert re.search(r"apt-get install .*\bprometheus prometheus-alertmanager\b", text)
