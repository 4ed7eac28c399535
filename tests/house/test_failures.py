"""What is expected to fail says so on its class: no room lists its failures."""

import ast
import builtins
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("contracts", "etl", "features", "training", "serving", "monitoring")
# Faults of ours, and failures that do not leave the room that meets them.
FAULTS = {
    *("AccountError", "FeatureError", "ForecastError"),  # a member or caller breaks its contract
    *("NotDelimited", "NotRss"),  # told with the file's or the feed's account
    "ApiError",  # an answer of the predictor
}


def exceptions(root: Path) -> dict[str, set[str]]:
    """The classes of failures that the rooms declare, with the names of all above them."""
    bases = {
        node.name: {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        for room in ROOMS
        for path in (root / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    }

    def above(name: str) -> set[str]:
        own = bases.get(name, set())
        return own.union(*(above(base) for base in own if base != name))

    def fails(name: str) -> bool:
        kind = getattr(builtins, name, None)
        return isinstance(kind, type) and issubclass(kind, BaseException)

    found = {name: above(name) for name in bases}
    return {name: over for name, over in found.items() if any(map(fails, over))}


def test_every_failure_is_expected_or_a_fault_of_ours() -> None:
    found = exceptions(ROOT)
    assert {"SettingsError", "StepMissing", "Leak", "ViewChanged", "NotASession"} <= set(found)
    beside = {name for name, over in found.items() if "Expected" not in over} - {"Expected"}
    assert beside == FAULTS


@pytest.mark.parametrize(
    ("line", "beside"),
    [
        ("class Lost(ValueError):\n    pass", {"Lost"}),
        ("class Lost(Expected, ValueError):\n    pass\nclass Worse(Lost):\n    pass", set()),
        ("class Plain:\n    pass", set()),
    ],
)
def test_a_failure_that_forgets_it_is_found(tmp_path: Path, line: str, beside: set[str]) -> None:
    for room in ROOMS:
        (tmp_path / room).mkdir()
    (tmp_path / "etl" / "a.py").write_text(f"class Expected(Exception):\n    pass\n{line}\n")
    found = exceptions(tmp_path)
    assert {n for n, over in found.items() if "Expected" not in over} - {"Expected"} == beside
