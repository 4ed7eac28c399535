"""The workflows: valid, with few rights, and running what the Makefile has."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from schemas import complaints

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def load(path: Path) -> dict[str, Any]:
    # `on` is a boolean in YAML 1.1; the schema check above reads it as GitHub does.
    return yaml.safe_load(path.read_text())


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job.get("steps", [])]


def test_all_are_valid_and_a_wrong_one_is_not(tmp_path: Path) -> None:
    assert WORKFLOWS
    assert not complaints("github-workflows", *WORKFLOWS)
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WORKFLOWS[0].read_text().replace("runs-on:", "run-on:"))
    assert "run-on" in complaints("github-workflows", wrong)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_rights_are_few_and_actions_are_pinned(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        ours = job.get("uses", "").startswith("./.github/workflows/")
        assert ours or job["timeout-minutes"] <= 120
        # A token of its own has who logs in to the cloud, and nobody else.
        logs_in = ours or "configure-aws-credentials" in str(job)
        more = {"contents": "read", "id-token": "write"}
        assert job.get("permissions") == (more if logs_in else None), name
    for step in steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", step["uses"])


def test_production_is_out_of_reach_without_a_pass_and_going_back_needs_nobody() -> None:
    made = load(ROOT / ".github" / "workflows" / "deploy.yml")["jobs"]
    assert made["production"]["if"] == "needs.canary.outputs.gate == 'pass'"
    assert made["production"]["environment"] == "production"
    assert {name: job.get("environment") for name, job in made.items() if "environment" in job} == {
        "staging": "staging",
        "canary": "canary",
        "production": "production",
        "rollback": "canary",
    }
    needs = {name: job.get("needs") for name, job in made.items()}
    assert needs["staging"] == "images" and needs["images"] == "rehearsal"
    assert "staging" in needs["canary"] and "canary" in needs["production"]
    # A job that awaits the failure of a called workflow would never start under act.
    assert all("uses" not in made[name] for name in needs["rollback"])


def test_make_lint_looks_at_the_workflows_by_three_tools() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    asked = ("bin/actionlint", "bin/zizmor -q --offline .github", "vendor.github-workflows")
    assert all(word in recipe for word in asked)


@pytest.mark.parametrize(
    ("old", "new", "tool"),
    [
        ("needs: rehearsal", "needs: rehearsals", ["actionlint"]),
        (
            "permissions:\n  contents: read\n\n",
            "permissions: write-all\n\n",
            ["zizmor", "--offline"],
        ),
        ('--digests "$DIGESTS"', "--digests ${{ github.head_ref }}", ["actionlint"]),
        ("@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2", "@v4", ["zizmor", "--offline"]),
    ],
)
def test_the_tools_find_what_is_planted(
    tmp_path: Path, old: str, new: str, tool: list[str]
) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    wrong = folder / "deploy.yml"
    wrong.write_text((ROOT / ".github" / "workflows" / "deploy.yml").read_text().replace(old, new))
    command = [str(Path(sys.executable).parent / tool[0]), *tool[1:], str(wrong)]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode != 0


def test_lint_and_test_are_run_by_the_locked_python() -> None:
    workflow = load(ROOT / ".github" / "workflows" / "ci.yml")
    commands = {step["run"] for step in steps(workflow) if "run" in step}
    made = {command for command in commands if command.startswith("make ")}
    assert made == {"make lint", "make charts", "make setup", "make test LESS=data"}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {command.split()[1] for command in made} <= targets
    made_by = [step for step in steps(workflow) if "setup-python" in step.get("uses", "")]
    versions = [step["with"]["python-version"] for step in made_by]
    # requires-python and the lock know no other.
    assert set(versions) == {"3.11"}
    systems = workflow["jobs"]["core"]["strategy"]["matrix"]["os"]
    assert systems == ["ubuntu-latest", "macos-latest", "windows-latest"]
