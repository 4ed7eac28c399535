"""Each row of the README's table of troubles is reproduced by a test that asserts its message."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECTION = (ROOT / "README.md").read_text().split("## When something is wrong")[1].split("\n## ")[0]
# The first words in backticks of each row: what a user sees, `...` for what varies.
ROWS = re.findall(r"^\|[^|`]*`([^`|]+)`[^|]*\|[^|]+\|[^|]+\|$", SECTION, re.M)


@cache
def marked() -> dict[str, list[str]]:
    """The source of the tests that say which message they reproduce, by message."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef):
                continue
            marks = [m for m in node.decorator_list if "mark.troubleshooting" in ast.unparse(m)]
            node.decorator_list = [m for m in node.decorator_list if m not in marks]
            for mark in marks:
                assert isinstance(mark, ast.Call) and isinstance(mark.args[0], ast.Constant)
                found.setdefault(str(mark.args[0].value), []).append(ast.unparse(node))
    return found


def test_every_row_is_read() -> None:
    lines = [line for line in SECTION.splitlines() if line.startswith("|")]
    assert len(ROWS) == len(lines) - 2 > 10
    assert len(set(ROWS)) == len(ROWS)


def test_every_reproduction_has_its_row() -> None:
    assert set(marked()) == set(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_reproduced_and_its_message_asserted(row: str) -> None:
    parts = [part.strip() for part in row.split("...") if part.strip()]
    for source in marked().get(row, []):
        assert "skip" not in source
        assert "assert" in source or "raises" in source
        for part in parts:
            assert part in source.replace("\\", ""), f"no test asserts {part!r}"
