"""The verb `rollback`: who leaves, what a repeat does, and MLflow that is away."""

from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner
from world import World, won

from contracts.settings import settings
from training.__main__ import app

pytestmark = pytest.mark.integration


def crowned(world: World) -> str:
    """Promote the second and third bundle; returns who is in office now."""
    for bundle in world.bundles[1:3]:
        world.register(bundle)
        assert won(world, bundle)() == 1
    world.look()
    return world.in_office


def rollback(*options: str) -> Any:
    return CliRunner().invoke(app, ["rollback", "--universe", "outage", "--reason", "x", *options])


@pytest.mark.troubleshooting("the ledger has decided, ... does not show it yet")
def test_a_rollback_while_mlflow_is_away_is_done_and_its_repeat_changes_nothing(
    new_world: Callable[[str, int], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = new_world("outage", 1)
    leaving = crowned(world)
    with monkeypatch.context() as gone:
        gone.setenv("FINPULSE_MLFLOW_URL", "http://127.0.0.1:9")
        settings.cache_clear()
        done = rollback("--bundle", leaving)
        assert done.exit_code == 0 and world.bundles[1].hash in done.stdout
        said = "the ledger has decided, the alias in MLflow does not show it yet"
        assert said in done.stderr and "nothing is to be repeated" in done.stderr
        again = rollback("--bundle", leaving)
        assert (again.exit_code, again.stdout) == (
            0,
            f"{leaving} is not in office: nothing to roll back\n",
        )
    assert world.in_office == world.bundles[1].hash and world.shown() == leaving
    assert world.look() == "moved" and world.shown() == world.in_office


@pytest.mark.troubleshooting("name who is to leave: --bundle ...")
def test_a_rollback_names_who_is_to_leave(new_world: Callable[[str, int], World]) -> None:
    world = new_world("outage", 1)
    leaving, before = crowned(world), world.rows
    unnamed = rollback()
    assert unnamed.exit_code == 2
    assert f"name who is to leave: --bundle {leaving[:12]} is in office" in unnamed.stderr
    unknown = rollback("--bundle", "f" * 64)
    assert unknown.exit_code == 1
    assert "was never champion of outage" in str(unknown.exception)
    assert rollback("--bundle", leaving[:3]).exit_code == 1, "too short to be sure"
    assert world.rows == before
    done = rollback("--bundle", leaving[:8])
    assert done.exit_code == 0 and world.in_office == world.bundles[1].hash
