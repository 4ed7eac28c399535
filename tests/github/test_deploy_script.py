"""What `deploy.py` says and does where its helm is not there, or cannot do all that it should."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "infra" / "release" / "deploy.py"
# Every release is at revision 7, and going back of one of them fails.
HELM = """#!/bin/sh
echo "$@" >>"$ASKED"
case "$1 $2" in
  list*) echo '[{"revision": "7"}]' ;;
  "rollback finpulse-$STUCK") echo "timed out" >&2; exit 1 ;;
esac
"""


def deploy(folder: Path, *words: str, **told: str) -> tuple[int, str, list[str]]:
    """Exit status, what is complained of, and what helm was asked to change."""
    asked = folder / "asked"
    asked.touch()
    env = {"PATH": f"{folder}:/usr/bin:/bin", "ASKED": str(asked)} | told
    done = subprocess.run([sys.executable, SCRIPT, *words], env=env, capture_output=True, text=True)
    changes = ("rollback", "upgrade")
    lines = [line.split() for line in asked.read_text().splitlines()]
    return done.returncode, done.stderr, [each[1] for each in lines if each[0] in changes]


@pytest.fixture
def helm(tmp_path: Path) -> Path:
    """A folder with a stand-in of helm."""
    program = tmp_path / "helm"
    program.write_text(HELM)
    program.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("stuck", ["platform", "monitoring", "predictor"])
def test_one_that_cannot_go_back_holds_up_no_other(helm: Path, stuck: str) -> None:
    before = '{"platform": 3, "monitoring": 4, "predictor": 5}'
    code, said, asked = deploy(helm, "rollback", "--to", before, STUCK=stuck)
    assert code == 1 and f"finpulse-{stuck}" in said and "timed out" in said
    # Those that callers see first.
    assert asked == ["finpulse-predictor", "finpulse-monitoring", "finpulse-platform"]


def test_who_is_there_already_or_never_was_is_left_alone(helm: Path) -> None:
    code, said, asked = deploy(helm, "rollback", "--to", '{"platform": 0, "predictor": 7}')
    assert (code, asked) == (0, []), said


@pytest.mark.parametrize(
    "words",
    [
        ("rollback", "--to", "[1]"),
        ("rollback", "--to", '{"predictor": "5; touch x"}'),
        ("rollback", "--to", '{"ghost": 5}'),
        ("rollback", "--to", ""),
        ("rollback",),
        ("canary", "--digests", '["sha256:0"]'),
        ("canary", "--digests", "{}"),
        ("production", "--digests", '{"platform": 3}'),
        ("production", "--digests", '{"platform": "sha256:0"}'),
    ],
)
def test_what_is_no_answer_of_the_step_before_is_refused(
    helm: Path, words: tuple[str, ...]
) -> None:
    code, said, asked = deploy(helm, *words, STUCK="")
    assert code and "expected" in said and "Traceback" not in said and asked == []


def test_without_helm_it_says_so(tmp_path: Path) -> None:
    code, said, _ = deploy(tmp_path, "office", PATH=str(tmp_path))
    assert code == 1 and "helm" in said and "Traceback" not in said
