"""Arrows go one way: between floors, between rooms, and what breaks it is found."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
Plant = tuple[str, str, str]

# What stands in `name`, the line that breaks a rule there, and what the linter is to name.
FORBIDDEN: list[Plant] = [
    ("serving.batch", f"import training.{name}", f"training.{name}")
    for name in ("leaklab.examine", "evidence.guards", "bundle.scaler", "leaklab.leaks.folds")
]
FORBIDDEN += [
    ("serving.batch", "import training.network", "training.network"),
    ("training.evidence.score", "from contracts.store import Store", "contracts.store"),
]
UPWARDS: list[Plant] = [
    ("training.evidence.score", "from training.steps import fit", "training.steps.fit"),
    ("training.run.scope", "import training.office.ledger", "training.office.ledger"),
    ("training.evidence.walk", "from training.run.scope import Scope", "training.run.scope"),
    (
        "training.bundle.bundle",
        "from training.samples.samples import Samples",
        "training.samples.samples",
    ),
    ("training.steps.prove", "import training.leaklab.examine", "training.leaklab.examine"),
    ("features.panel.roll", "import features.facts.facts", "features.facts.facts"),
    ("features.view", "from features.matrix.matrix import load_matrix", "features.matrix.matrix"),
    ("features.labels.total_return", "import features.view", "features.view"),
    ("serving.edge.access", "from serving.served.watch import Watch", "serving.served.watch"),
    ("serving.service", "import serving.routes.predict", "serving.routes.predict"),
]
CIRCLES: dict[str, Plant] = {
    "modules": ("contracts.settings", "import contracts.store", "contracts"),
    "a folder": ("etl.rules", "from etl.batch import staging", "etl"),
    "within a folder": ("etl.folder.layouts", "import etl.folder.prices", "etl.folder"),
    "inside a function": (
        "monitoring.drift_test",
        "def later():\n    import monitoring.feature_drift",
        "monitoring",
    ),
    "types only": (
        "training.run.lock",
        "if TYPE_CHECKING:\n    from training.run.tracking import Mlflow",
        "training.run",
    ),
}
NEW: list[Plant] = [
    (f"{room}.another", '"""New."""', f"{room}.another")
    for room in ("training", "features", "serving")
]
AT_ONCE = {"arrows": [*FORBIDDEN, *UPWARDS], "circles": [*CIRCLES.values()], "new": NEW}


def verdict(folder: Path) -> subprocess.CompletedProcess[str]:
    linter = Path(sys.executable).parent / "lint-imports"
    return subprocess.run([linter], cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="module")
def linted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """What the rules say of a copy of all packages in which all plants of a kind stand at once.

    A sound copy passes; a verdict on each plant alone took as long as all else here.
    """
    folder = tmp_path_factory.mktemp("packages")
    for package in RULES["root_packages"]:
        left = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=left)
    shutil.copy(ROOT / "pyproject.toml", folder)
    sound = verdict(folder)
    assert sound.returncode == 0, sound.stdout + sound.stderr

    @cache
    def told(kind: str) -> str:
        before: dict[Path, str | None] = {}
        for module, line, _ in AT_ONCE[kind]:
            file = folder / (module.replace(".", "/") + ".py")
            before.setdefault(file, file.read_text() if file.exists() else None)
            with file.open("a") as opened:
                opened.write(f"\n{line}\n")
        done = verdict(folder)
        for file, text in before.items():
            file.write_text(text) if text is not None else file.unlink()
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stdout

    return told


@pytest.mark.parametrize(("module", "line", "named"), FORBIDDEN)
def test_an_import_of_a_forbidden_module_is_found(
    linted: Callable[[str], str], module: str, line: str, named: str
) -> None:
    arrow = re.escape(f"{module} -> {named} (")
    assert re.search(f"is not allowed to import .*:\\s+- +{arrow}", linted("arrows")), line


@pytest.mark.parametrize(("module", "line", "named"), UPWARDS)
def test_an_arrow_that_runs_up_is_found(
    linted: Callable[[str], str], module: str, line: str, named: str
) -> None:
    told = linted("arrows")
    assert f"- {module} -> {named} (" in told, line
    room = module.partition(".")[0]
    assert re.search(f"Floors of {room}(?s:(?!KEPT).)*? BROKEN", told)


@pytest.mark.parametrize("kind", CIRCLES)
def test_a_circle_is_found(linted: Callable[[str], str], kind: str) -> None:
    told = linted("circles")
    assert f"No cycles are allowed in {CIRCLES[kind][2]}.\n" in told
    assert "No circle between modules or folders BROKEN" in told


@pytest.mark.parametrize("name", [name for name, *_ in NEW])
def test_a_module_without_a_floor_is_found(linted: Callable[[str], str], name: str) -> None:
    assert re.search(f"not listed as layers:\\s+- {name}\n", linted("new"))
