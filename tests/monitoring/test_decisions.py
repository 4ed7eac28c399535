"""Promotions, rollbacks, losses and outages in any order: alias and ledger end of one mind."""

from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner
from world import REGISTERED, World, away, won

from contracts import objects
from contracts.champion import ALIAS
from training.__main__ import app
from training.run.mlflow_api import TrackingError
from training.run.records import StepMissing
from training.steps import rollback

pytestmark = pytest.mark.integration


def perhaps_away(world: World) -> Any:
    return away(world, world.draw.randrange(6) if world.draw.random() < 0.4 else 99)


def promote(world: World) -> None:
    bundle = world.draw.choice(world.bundles)
    if bundle.hash == world.in_office:
        return
    if world.draw.random() < 0.5:
        world.register(bundle)
    command = won(world, bundle)
    with perhaps_away(world):
        assert command() == 1
    assert world.in_office == bundle.hash
    world.last = command


def roll_back(world: World) -> None:
    leaving, decided = world.in_office, world.clock()

    def command() -> object:
        return rollback.roll_back(world.store, world.office, leaving, "worse", decided)

    with perhaps_away(world):
        try:
            command()
        except StepMissing:
            assert world.in_office == leaving
            return
    assert world.in_office != leaving
    world.last = command


def repeat(world: World) -> None:
    before, in_office = world.rows, world.in_office
    world.last()
    assert (world.rows, world.in_office) == (before, in_office)


def look(world: World) -> None:
    before = world.in_office
    with perhaps_away(world):
        try:
            result = world.look()
        except TrackingError:
            result = "away"
    assert world.in_office == before or world.in_office in world.chosen
    if result in ("agreed", "moved", "registered", "recorded"):
        assert world.shown() == world.in_office
        world.chosen.clear()
    if result == "recorded":
        # Whom a rollback removed may be back in office: the same words are a new order then.
        world.last = lambda: None
    assert result != "idle"


def choose(world: World) -> None:
    if found := world.versions():
        number = world.draw.choice(sorted(found))
        fields = {"name": world.name, "alias": ALIAS, "version": str(number)}
        world.server.call("POST", f"{REGISTERED}/alias", **fields)
        world.chosen.add(found[number])


def lose_alias(world: World) -> None:
    world.server.found("DELETE", f"{REGISTERED}/alias", name=world.name, alias=ALIAS)


def lose_version(world: World) -> None:
    if found := world.versions():
        number = str(world.draw.choice(sorted(found)))
        world.server.call("DELETE", "mlflow/model-versions/delete", name=world.name, version=number)


def lose_model(world: World) -> None:
    world.server.found("DELETE", f"{REGISTERED}/delete", name=world.name)


STEPS = [promote, promote, roll_back, repeat, look, look, choose]
STEPS += [lose_alias, lose_version, lose_model]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_alias_and_ledger_name_the_same_bundle(
    new_world: Callable[..., World], seed: int
) -> None:
    world = new_world(f"order{seed}", seed)
    for _ in range(16):
        step = world.draw.choice(STEPS)
        world.done.append(step.__name__)
        step(world)
    looks = [world.look() for _ in range(3)]
    assert looks[-1] == "agreed", (world.done, looks)
    if "recorded" in looks:
        world.last = lambda: None
    assert world.shown() == world.in_office, world.done
    in_order = "SELECT bundle FROM promotions WHERE decision <> 'refused' ORDER BY number"
    assert world.store.query(in_order)["bundle"].to_pylist()[-1] == world.in_office
    repeat(world)
    assert world.look() == "agreed"


def told(world: World) -> tuple[object, ...]:
    """All that is known of an office, its alias and versions in MLflow included."""
    model = world.server.found("GET", f"{REGISTERED}/get", name=world.name) or {}
    aliases = model.get("registered_model", {}).get("aliases")
    return world.in_office, world.rows, aliases, world.versions()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(3))
def test_what_happens_in_one_office_moves_nothing_in_another(
    new_world: Callable[..., World], seed: int
) -> None:
    # Of one universe and two targets, and of two universes whose names run into each other.
    name = f"beside{seed}"
    named = [(name, "trend_1"), (name, "trend_5"), (f"{name}-trend", "trend_1")]
    worlds = [new_world(universe, 10 * seed + n, of) for n, (universe, of) in enumerate(named)]
    for world in worlds:
        world.look()
    for _ in range(16):
        world = worlds[0].draw.choice(worlds)
        others = [other for other in worlds if other is not world]
        before = [told(other) for other in others]
        step = worlds[0].draw.choice(STEPS)
        world.done.append(step.__name__)
        step(world)
        assert [told(other) for other in others] == before, (str(world.office), world.done)
    for world in worlds:
        assert [world.look() for _ in range(3)][-1] == "agreed", world.done
        assert world.shown() == world.in_office


def test_a_model_deleted_in_mlflow_is_registered_again_under_its_bundle(
    new_world: Callable[..., World],
) -> None:
    world = new_world("deleted", 1)
    first, second, *_ = world.bundles
    world.look()
    lose_model(world)
    # The numbers begin again: the champion's is another bundle's now.
    world.register(second)
    assert world.versions() == {1: second.hash}
    assert world.look() == "registered"
    assert (world.in_office, world.shown()) == (first.hash, first.hash)
    assert world.versions() == {1: second.hash, 2: first.hash}
    assert world.look() == "agreed"


def test_an_alias_on_the_champions_old_number_is_not_agreement(
    new_world: Callable[..., World],
) -> None:
    world = new_world("number", 1)
    world.look()
    lose_model(world)
    world.register(world.bundles[1])
    choose(world)
    assert world.shown() == world.bundles[1].hash
    assert world.look() != "agreed"
    assert world.shown() == world.in_office == world.bundles[0].hash


def test_the_verb_register_brings_the_champion_back(
    new_world: Callable[..., World],
) -> None:
    world = new_world("byhand", 1)
    lose_model(world)
    for _ in range(2):
        done = CliRunner().invoke(app, ["register", "--universe", "byhand"])
        assert (done.exit_code, done.stdout) == (
            0,
            f"champion of byhand/trend_1: {world.in_office}\n",
        )
        assert world.versions() == {1: world.shown()} == {1: world.in_office}
    assert world.look() == "agreed"
    with away(world, 0):
        assert CliRunner().invoke(app, ["register", "--universe", "byhand"]).exit_code == 1


def test_what_cannot_be_registered_again_is_alarmed(
    new_world: Callable[..., World],
) -> None:
    world = new_world("lost", 1)
    before = world.rows
    lose_model(world)
    objects.put(f"bundles/{world.in_office}/prior.json", b"{}")
    assert [world.look(), world.look()] == ["lost", "lost"]
    assert world.rows == before


def test_after_a_registration_anew_a_rollback_goes_to_another_bundle(
    new_world: Callable[..., World],
) -> None:
    world = new_world("anew", 1)
    first, second, *_ = world.bundles
    won(world, second)()
    assert [world.look(), world.look()][-1] == "agreed"
    # The same bundle once more under another number, as a person's choice.
    tags = [{"key": "bundle", "value": second.hash}]
    fields = {"name": world.name, "source": "s3://elsewhere/model", "tags": tags}
    made = world.server.call("POST", "mlflow/model-versions/create", **fields)
    number = made["model_version"]["version"]
    alias = {"name": world.name, "alias": ALIAS, "version": number}
    world.server.call("POST", f"{REGISTERED}/alias", **alias)
    world.look()
    world.look()
    done = CliRunner().invoke(
        app, ["rollback", "--universe", "anew", "--reason", "x", "--bundle", second.hash]
    )
    assert done.exit_code == 0 and world.in_office == first.hash
