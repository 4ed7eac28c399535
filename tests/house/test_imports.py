"""The rule about what serving may import names every module of training, and would notice."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
ALLOWED = {"bundle", "forecast", "windows"}
MODULES = {
    path.stem
    for path in (ROOT / "training").iterdir()
    if path.suffix == ".py" or (path / "__init__.py").is_file()
} - {"__init__"}


def test_every_module_of_training_is_allowed_or_forbidden_to_serving() -> None:
    forbidden = {
        name.removeprefix("training.")
        for rule in RULES["contracts"]
        if rule["type"] == "forbidden" and rule["source_modules"] == ["serving"]
        for name in rule["forbidden_modules"]
        if name.startswith("training.")
    }
    assert forbidden == MODULES - ALLOWED


@pytest.mark.parametrize("module", ["leaklab", "guards", "scaler", "leaks.folds"])
def test_an_import_of_a_forbidden_module_is_found(tmp_path: Path, module: str) -> None:
    for package in RULES["root_packages"]:
        shutil.copytree(ROOT / package, tmp_path / package)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "serving" / "lane.py").open("a") as file:
        file.write(f"\nimport training.{module}\n")
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter, "--no-cache"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and f"training.{module}" in done.stdout, done.stdout + done.stderr
