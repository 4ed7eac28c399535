"""The core as CI installs it on each system: its own commands, without what Windows lacks."""

import os
import subprocess
import venv
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).resolve().parents[2]
JOB: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
# Windows has none of these, and XGBoost wants a library that a Mac lacks.
LACKING = """import sys
for name in ("fcntl", "grp", "pwd", "resource", "termios", "xgboost"):
    sys.modules[name] = None
"""


def test_the_core_is_installed_and_its_tests_pass(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    (tmp_path / "sitecustomize.py").write_text(LACKING)
    path = f"{tmp_path / 'venv' / 'bin'}:{os.environ['PATH']}"
    # No published data, no skip, and nothing of the environment that these tests run in.
    told = {k: v for k, v in os.environ.items() if not k.startswith(("FINPULSE_", "PYTHON"))}
    told |= {"PATH": path, "VIRTUAL_ENV": "", "CI": "true", **JOB["jobs"]["core"]["env"]}
    steps = [step["run"] for step in JOB["jobs"]["core"]["steps"] if "run" in step]
    for step in steps:
        lacking = {"PYTHONPATH": str(tmp_path)} if "pytest -q" in step else {}
        command = ["bash", "-e", "-o", "pipefail", "-c", step]
        done = subprocess.run(command, cwd=ROOT, env=told | lacking, capture_output=True, text=True)
        assert done.returncode == 0, f"{step}\n{(done.stdout + done.stderr)[-4000:]}"
    assert " passed" in done.stdout and "skipped" not in done.stdout
    python = str(tmp_path / "venv" / "bin" / "python")
    for absent in ("sqlalchemy", "torch", "pyspark", "fastapi"):
        found = subprocess.run([python, "-c", f"import {absent}"], capture_output=True)
        assert found.returncode == 1, f"{absent} is none of the core's needs"
