"""Discovery finds members, and is loud about broken ones."""

import sys
from pathlib import Path

import pytest

from contracts.registry import Registry, UnknownMember


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    members = tmp_path / "kinds"
    members.mkdir()
    (members / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    for name in [n for n in sys.modules if n.split(".")[0] == "kinds"]:
        monkeypatch.delitem(sys.modules, name)
    return members


def test_members_are_found_by_name(folder: Path) -> None:
    registry = Registry[int]("kind", "kinds")
    registry.add("one", 1)
    (folder / "two.py").write_text("")
    assert registry.get("one") == 1 and registry.names() == ["one"] and list(registry) == [1]
    assert "kinds.two" in sys.modules


def test_a_broken_member_is_loud(folder: Path) -> None:
    (folder / "broken.py").write_text("import no_such_module")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        Registry[int]("kind", "kinds").names()


def test_two_of_one_name_and_an_unknown_name(folder: Path) -> None:
    registry = Registry[int]("kind", "kinds")
    registry.add("one", 1)
    with pytest.raises(ValueError, match="'one'"):
        registry.add("one", 2)
    with pytest.raises(UnknownMember, match="'three'; found: one"):
        registry.get("three")
