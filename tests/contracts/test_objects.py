"""The object store on a local folder and in memory."""

from pathlib import Path

import pytest

from contracts import objects
from contracts.settings import settings


@pytest.fixture(params=["folder", "memory"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if request.param == "memory":
        monkeypatch.setenv("FINPULSE_OBJECTS_URL", f"memory://{tmp_path.name}")
        settings.cache_clear()


@pytest.mark.usefixtures("place")
def test_what_is_put_is_got() -> None:
    assert not objects.exists("a/b.bin") and objects.names("a") == []
    objects.put("a/b.bin", b"1")
    objects.put("a/b.bin", b"2")
    objects.put("a/c.bin", b"3")
    assert objects.get("a/b.bin") == b"2"
    assert objects.names("a") == ["b.bin", "c.bin"]


@pytest.mark.usefixtures("place")
def test_a_folder_is_removed_whole() -> None:
    for key in ("a/b/c.bin", "a/d.bin", "e.bin"):
        objects.put(key, b"1")
    for _ in range(2):
        objects.remove("a")
        objects.remove("e.bin")
    assert objects.names("a") == objects.names("a/b") == [] and not objects.exists("e.bin")


@pytest.mark.usefixtures("place")
def test_a_missing_object_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="no/such"):
        objects.get("no/such")
