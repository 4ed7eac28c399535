"""What serving may take of training is said by folders, and an import of anything else is found."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]


def linted(folder: Path, module: str, line: str) -> subprocess.CompletedProcess[str]:
    """The rules' verdict on a copy of all packages in which `module` has one more line."""
    for package in RULES["root_packages"]:
        shutil.copytree(ROOT / package, folder / package, dirs_exist_ok=True)
    shutil.copy(ROOT / "pyproject.toml", folder)
    with (folder / (module.replace(".", "/") + ".py")).open("a") as file:
        file.write(f"\n{line}\n")
    linter = Path(sys.executable).parent / "lint-imports"
    return subprocess.run([linter, "--no-cache"], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize(
    "module",
    ["leaklab.examine", "evidence.guards", "bundle.scaler", "leaklab.leaks.folds", "network"],
)
def test_an_import_of_a_forbidden_module_is_found(tmp_path: Path, module: str) -> None:
    done = linted(tmp_path, "serving.batch", f"import training.{module}")
    assert done.returncode == 1 and f"training.{module}" in done.stdout, done.stdout + done.stderr
