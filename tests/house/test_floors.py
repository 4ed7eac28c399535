"""Each room keeps its floors: few modules on each, a name once, no circle, arrows down."""

import ast
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("contracts", "etl", "features", "training", "serving", "monitoring")
FLAT, CONCERN = 18, 12
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# What each room needs beside the dependencies of all. Tasks run on the platform; what services
# share with it stands in their extras (a listener in `contracts`, HTTP in `etl` and `training`),
# and whether their images have all of it, the tests of images find out.
EXTRAS = {
    "contracts": ("platform", "serving"),
    "etl": ("platform", "monitoring"),
    "features": ("platform",),
    "training": ("platform", "monitoring"),
    "serving": ("serving",),
    "monitoring": ("monitoring",),
}
# Installed with what asks for it, and imported beside it.
BESIDE = {
    **{"pydantic": "pydantic-settings", "starlette": "fastapi"},
    **{"safetensors": "transformers", "tokenizers": "transformers"},
}
# Its own build has its own index; tasks alone import it.
APART = {"platform": {"torch"}}


def modules(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*.py") if p.stem != "__init__")


@cache
def members(root: Path) -> set[Path]:
    """Folders of members: those that a Registry discovers, tables and revisions."""
    found = {root / "contracts" / "tables", root / "contracts" / "migrations" / "versions"}
    for room in ROOMS:
        for path in (root / room).rglob("*.py"):
            text = path.read_text()
            for node in ast.walk(ast.parse(text)) if "Registry(" in text else ():
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "Registry":
                    found.add(root / str(ast.literal_eval(node.args[1])).replace(".", "/"))
    return found


def crowded(root: Path) -> Iterator[str]:
    """Folders with more modules than a floor holds."""
    apart = members(root)
    for room in ROOMS:
        for folder in [root / room, *(p for p in (root / room).rglob("*") if p.is_dir())]:
            most = FLAT if folder.parent == root else CONCERN
            if folder not in apart and len(modules(folder)) > most:
                yield f"{folder.relative_to(root)}: {len(modules(folder))} modules, most {most}"


def twice(root: Path) -> Iterator[str]:
    """Names that two modules of a room have."""
    apart = members(root)
    for room in ROOMS:
        folders = [root / room, *(p for p in (root / room).rglob("*") if p.is_dir())]
        names = Counter(p.stem for f in folders if f not in apart for p in modules(f))
        yield from (f"{room}: {name}" for name, count in names.items() if count > 1)


def foreign(root: Path) -> Iterator[str]:
    """Imports of packages that the room's extras do not declare."""
    known = installed()
    for room, extras in EXTRAS.items():
        asked = [*PROJECT["dependencies"]]
        for extra in extras:
            asked += PROJECT["optional-dependencies"][extra]
        declared = {_plain(re.split(r"[\[<>=;! ]", one)[0]) for one in asked}
        declared |= {name for name, by in BESIDE.items() if by in declared}
        declared |= {name for extra in extras for name in APART.get(extra, ())}
        for path in (root / room).rglob("*.py"):
            for name in _imported(path) - {*ROOMS, *sys.stdlib_module_names}:
                if not declared & {_plain(one) for one in known.get(name, [name])}:
                    yield f"{path.relative_to(root)} imports {name}"


@cache
def installed() -> dict[str, list[str]]:
    """The packages of this environment by the names under which they are imported."""
    return {name: [*packages] for name, packages in packages_distributions().items()}


def _imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).split(".")[0])
    return found


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


RULES = (crowded, twice, foreign)


@pytest.mark.parametrize("rule", RULES)
def test_the_house_keeps_its_floors(rule: Callable[[Path], Iterator[str]]) -> None:
    assert list(rule(ROOT)) == []


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A small house: rooms with a floor of one concern and one of members."""
    for room in ROOMS:
        (tmp_path / room / "floor").mkdir(parents=True)
    (tmp_path / "etl" / "sources").mkdir()
    (tmp_path / "etl" / "source.py").write_text('SOURCES = Registry("source", "etl.sources")\n')
    for number in range(30):
        (tmp_path / "etl" / "sources" / f"member_{number}.py").touch()
    (tmp_path / "etl" / "sources" / "source.py").touch()
    for number in range(FLAT):
        (tmp_path / "training" / f"module_{number}.py").touch()
    for number in range(CONCERN):
        (tmp_path / "training" / "floor" / f"part_{number}.py").write_text("import ray, numpy\n")
    (tmp_path / "training" / "floor" / "__init__.py").touch()
    return tmp_path


def test_a_house_that_is_just_full_and_its_members_pass(house: Path) -> None:
    assert [list(rule(house)) for rule in RULES] == [[], [], []]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("training/another.py", "training: 19 modules, most 18"),
        ("training/floor/another.py", "training/floor: 13 modules, most 12"),
    ],
)
def test_one_module_more_than_a_floor_holds_is_found(house: Path, path: str, told: str) -> None:
    (house / path).touch()
    assert list(crowded(house)) == [told]


def test_a_name_that_is_there_already_is_found(house: Path) -> None:
    (house / "etl" / "floor" / "source.py").touch()
    assert list(twice(house)) == ["etl: source"]
    (house / "features" / "source.py").touch()
    assert list(twice(house)) == ["etl: source"], "each room has its own names"


@pytest.mark.parametrize(
    ("path", "line", "name"),
    [
        ("serving/floor/a.py", "import ray", "ray"),
        ("serving/a.py", "def f():\n    from mlflow import client", "mlflow"),
        ("monitoring/a.py", "import fastapi", "fastapi"),
        ("features/a.py", "import httpx", "httpx"),
        ("serving/b.py", "import torch", "torch"),
        ("etl/a.py", "import nowhere_declared", "nowhere_declared"),
    ],
)
def test_an_import_of_another_rooms_package_is_found(
    house: Path, path: str, line: str, name: str
) -> None:
    (house / path).write_text(line + "\n")
    assert list(foreign(house)) == [f"{path} imports {name}"]
