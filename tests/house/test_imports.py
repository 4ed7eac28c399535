"""Arrows go one way: between floors, between rooms, and what breaks it is found."""

import re
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


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("training.evidence.score", "from training.steps import fit"),
        ("training.run.scope", "import training.office.ledger"),
        ("training.evidence.walk", "from training.run.scope import Scope"),
        ("training.bundle.bundle", "from training.samples.samples import Samples"),
        ("training.steps.prove", "import training.leaklab.examine"),
        ("features.panel.roll", "import features.facts.facts"),
        ("features.view", "from features.matrix.matrix import load_matrix"),
        ("features.labels.total_return", "import features.view"),
        ("serving.edge.access", "from serving.served.watch import Watch"),
        ("serving.service", "import serving.routes.predict"),
    ],
)
def test_an_arrow_that_runs_up_is_found(tmp_path: Path, module: str, line: str) -> None:
    done = linted(tmp_path, module, line)
    assert done.returncode == 1 and re.search("Floors of .* BROKEN", done.stdout, re.S)


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("contracts.settings", "import contracts.store"),
        ("etl.rules", "from etl.batch import staging"),
        ("etl.folder.layouts", "import etl.folder.prices"),
        ("monitoring.drift_test", "def later():\n    import monitoring.feature_drift"),
        ("training.run.lock", "if TYPE_CHECKING:\n    from training.run.tracking import Mlflow"),
    ],
    ids=["modules", "a folder", "within a folder", "inside a function", "types only"],
)
def test_a_circle_is_found(tmp_path: Path, module: str, line: str) -> None:
    done = linted(tmp_path, module, line)
    assert done.returncode == 1 and "No circle between modules or folders BROKEN" in done.stdout


@pytest.mark.parametrize("name", ["training.another", "features.another", "serving.another"])
def test_a_module_without_a_floor_is_found(tmp_path: Path, name: str) -> None:
    done = linted(tmp_path, name, '"""New."""')
    assert done.returncode == 1 and "another" in done.stdout


def test_judging_that_asks_the_store_is_found(tmp_path: Path) -> None:
    done = linted(tmp_path, "training.evidence.score", "from contracts.store import Store")
    assert done.returncode == 1 and "neither store nor MLflow BROKEN" in done.stdout
