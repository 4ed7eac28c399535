"""`model_config.json`: whoever reads it while champions change sees one of them, whole."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event

import pytest

from contracts import objects
from contracts.champion import Champion, Office, point, pointer

OFFICE = Office("sim20", "trend_1")


def champion(version: int) -> Champion:
    """Its bundle is as long as its version says, so that torn or mixed content would show."""
    at = datetime(2025, 1, 1, tzinfo=UTC)
    return Champion(f"p{version}", "sim20", "trend_1", "b" * version, "m", version, "test", at)


def test_a_hundred_readers_see_each_champion_whole() -> None:
    point(champion(1))
    over = Event()

    def read(_: int) -> set[int]:
        seen = set()
        # Without a pause a hundred readers would only keep the writer from writing.
        while not over.wait(0.002):
            found = json.loads(objects.get(pointer(OFFICE)))
            assert found["bundle"] == "b" * found["model_version"]
            assert found["promotion_id"] == f"p{found['model_version']}"
            seen.add(found["model_version"])
        return seen

    with ThreadPoolExecutor(100) as readers:
        reading = [readers.submit(read, k) for k in range(100)]
        try:
            for version in range(2, 60):
                point(champion(version))
        finally:
            over.set()
        seen = set().union(*(each.result() for each in reading))
    assert len(seen) > 1, "nobody read while it changed"
    assert json.loads(objects.get(pointer(OFFICE)))["model_version"] == 59


def test_the_same_champion_again_is_not_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    point(champion(5))
    with monkeypatch.context() as broken:
        broken.delattr(objects, "put")
        point(champion(5))
        with pytest.raises(AttributeError):
            point(champion(6))
    assert objects.names("champions/sim20") == ["model_config.json"]
