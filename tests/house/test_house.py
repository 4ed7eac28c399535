"""Rules about the repository itself."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("contracts", "etl", "features", "training", "serving", "monitoring")
FOLDERS = (*PACKAGES, "dags", "infra", "tests", "benchmarks")
MODULES = sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py"))
MODULE_LINES, FUNCTION_LINES, ARGUMENTS = 300, 45, 6


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    given = function.args
    named = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([n for n in named if n not in ("self", "cls")])


def is_verb(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("command" in ast.unparse(d) for d in function.decorator_list)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_modules_and_functions_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MODULE_LINES
    for function in functions(path):
        length = (function.end_lineno or 0) - function.lineno + 1
        assert length <= FUNCTION_LINES, f"{function.name} has {length} lines"
        # A verb's options are its arguments, and a test's fixtures are what it needs.
        if not is_verb(function) and not function.name.startswith("test_"):
            assert arguments(function) <= ARGUMENTS, f"{function.name}: too many arguments"


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_names_say_what_is_inside(path: Path) -> None:
    assert path.stem not in ("utils", "helpers", "common", "manager", "handler", "misc")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_and_public_thing_has_a_docstring(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        tree = ast.parse(path.read_text())
        if not tree.body:
            continue
        assert ast.get_docstring(tree), f"{relative(path)} has no docstring"
        for node in tree.body:
            named = isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
            if named and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{relative(path)}: {node.name} has no docstring"


def test_tests_are_no_packages() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_a_dag_file_is_schedule_steps_and_arrows() -> None:
    for path in (ROOT / "dags").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 40, relative(path)


def test_dag_files_import_only_airflow_its_plugins_and_the_standard_library() -> None:
    import sys

    plugins = {path.stem for path in (ROOT / "infra" / "airflow" / "plugins").glob("*.py")}
    allowed = {"airflow", *plugins, *sys.stdlib_module_names}
    for path in (ROOT / "dags").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                top = name.split(".")[0]
                assert top in allowed, f"{path.name}: {name}"


def test_env_example_lists_every_setting() -> None:
    from contracts.settings import Settings

    listed = set(re.findall(r"^#? ?FINPULSE_(\w+)=", (ROOT / ".env.example").read_text(), re.M))
    declared = {name.upper() for name in Settings.model_fields}
    assert not declared - listed, f"add lines FINPULSE_... of {declared - listed} to .env.example"
    assert not listed - declared, f".env.example lists what no setting is: {listed - declared}"


def test_no_registry_host_or_foreign_path_is_committed() -> None:
    hosts = (
        "pypi" + ".org",
        "pythonhosted" + ".org",
        "npmjs" + ".org",
        "download.pytorch" + ".org",
    )
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in (".png", ".parquet", ".gz") or not path.is_file():
            continue
        text = path.read_text(errors="ignore")
        assert not any(host in text for host in hosts), f"{name} names a package registry"


def test_requirements_carry_hashes_and_no_torch() -> None:
    text = (ROOT / "requirements.lock").read_text()
    pinned = re.findall(r"^([a-z0-9-]+)(?:\[.*\])?==", text, re.M)
    assert len(pinned) > 200 and "torch" not in pinned and "nvidia-nccl-cu12" not in pinned
    assert text.count("--hash=sha256:") >= len(pinned)
