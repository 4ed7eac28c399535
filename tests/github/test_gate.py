"""The gate of the canary: a pass is a pass, and nothing else is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "infra" / "release" / "gate.py"


def asked(folder: Path, gate: str, *words: str) -> tuple[int, str, str]:
    """Exit status, what is printed, and what GitHub is told."""
    told = {"PATH": os.environ["PATH"], "RELEASE_GATE": gate, "GITHUB_OUTPUT": str(folder / "out")}
    command = [sys.executable, str(SCRIPT), "--weight", "10", "--pause", "0.01", *words]
    done = subprocess.run(command, env=told, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout, (folder / "out").read_text()


def test_a_promotion_passes(tmp_path: Path) -> None:
    code, said, told = asked(tmp_path, "echo errors 0, p99 12 ms: PROMOTE")
    assert (code, told) == (0, "gate=pass\n") and "errors 0" in said


@pytest.mark.parametrize(
    "gate",
    [
        "sh -c 'echo ROLLBACK; exit 1'",
        "sh -c 'echo PROMOTE; exit 1'",  # it says one thing and does another
        "sh -c 'echo PROMOTE; exit 75'",
        "echo ROLLBACK",
        "echo HOLD",
        "echo PROMOTED",
        "echo PROMOTE, or so",
        "sh -c 'exit 0'",
        "sh -c 'echo promote'",
        "sh -c 'kill -9 $$'",
        "no-such-program",
        "sh -c 'echo PROMOTE >&2'",
    ],
)
def test_all_else_is_a_fail(tmp_path: Path, gate: str) -> None:
    code, _, told = asked(tmp_path, gate)
    assert (code, told) == (1, "gate=fail\n")


def test_it_is_asked_again_while_it_holds(tmp_path: Path) -> None:
    (tmp_path / "gate.sh").write_text(
        "echo x >>asked\ntest $(wc -l <asked) -ge 3 && echo PROMOTE && exit 0\necho HOLD\nexit 75\n"
    )
    code, said, _ = asked(tmp_path, "sh gate.sh")
    assert code == 0 and said.split() == ["HOLD", "HOLD", "PROMOTE", "gate=pass"]


def test_a_hold_at_the_deadline_and_a_gate_that_hangs_are_no_pass(tmp_path: Path) -> None:
    code, said, _ = asked(tmp_path, "sh -c 'echo HOLD; exit 75'", "--minutes", "0.002")
    assert code == 1 and "no data is no pass" in said
    code, said, told = asked(tmp_path, "sleep 100", "--minutes", "0.001")
    assert code == 1 and "did not answer" in said and told.endswith("gate=fail\n")


def test_the_weight_reaches_the_command(tmp_path: Path) -> None:
    code, said, _ = asked(tmp_path, "echo {weight} PROMOTE")
    assert code == 0 and said.startswith("10 PROMOTE")


def test_calls_of_a_step_before_count_for_nobody(tmp_path: Path) -> None:
    """Half of the callers are not judged by what was counted while it was a tenth."""
    (tmp_path / "gate.sh").write_text(
        "echo $1\ntest $1 -ge 7 && echo PROMOTE && exit 0\necho HOLD\nexit 75\n"
    )
    code, said, _ = asked(tmp_path, "sh gate.sh {seconds}", "--pause", "0.4", "--minutes", "1")
    spans = [int(word) for word in said.split() if word.isdigit()]
    assert code == 0 and spans[0] == 5 and spans[-1] == 7 and spans == sorted(spans)


def test_the_verb_of_monitoring_says_the_words_that_are_read_here() -> None:
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        import gate
    finally:
        sys.path.remove(str(SCRIPT.parent))
    assert gate.VERB == "python -m monitoring canary --seconds {seconds}"
    workflow = (SCRIPT.parents[2] / ".github" / "workflows" / "deploy.yml").read_text()
    assert f"-- {gate.VERB}' }}}}" in workflow
