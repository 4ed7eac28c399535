"""The workflows: valid, with few rights, and running what the Makefile has."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def check(*files: Path) -> subprocess.CompletedProcess[str]:
    command = ["-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    return subprocess.run(
        [sys.executable, *command, *map(str, files)], capture_output=True, text=True
    )


def load(path: Path) -> dict[str, Any]:
    # `on` is a boolean in YAML 1.1; the schema check above reads it as GitHub does.
    return yaml.safe_load(path.read_text())


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_all_are_valid_and_a_wrong_one_is_not(tmp_path: Path) -> None:
    assert WORKFLOWS
    done = check(*WORKFLOWS)
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WORKFLOWS[0].read_text().replace("runs-on:", "run-on:"))
    assert check(wrong).returncode == 1


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_rights_are_few_and_actions_are_pinned(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
        assert "permissions" not in job
    for step in steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", step["uses"])


def test_lint_and_test_are_run_by_the_locked_python() -> None:
    workflow = load(ROOT / ".github" / "workflows" / "ci.yml")
    commands = {step["run"] for step in steps(workflow) if "run" in step}
    made = {command for command in commands if command.startswith("make ")}
    assert made == {"make lint", "make test LESS=data"}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {command.split()[1] for command in made} <= targets
    versions = [step["with"]["python-version"] for step in steps(workflow) if "python" in str(step)]
    assert set(versions) == {"3.11"}
