"""Promotions, rollbacks, losses and outages in any order: alias and ledger end of one mind."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from market import Market
from typer.testing import CliRunner

from contracts import objects
from contracts.champion import ALIAS, PROMOTED, champion, model_name
from contracts.settings import settings
from contracts.store import Store
from monitoring.alias import reconcile
from training import office
from training.__main__ import app
from training.bundle import Bundle
from training.records import Fit, StepMissing
from training.tracking import Mlflow, TrackingError

pytestmark = pytest.mark.integration

NOW = datetime(2025, 7, 2, tzinfo=UTC)
CHANCES = [(0.3, 0.4, 0.3), (0.1, 0.2, 0.7), (0.2, 0.2, 0.6), (0.5, 0.3, 0.2)]
REGISTERED = "mlflow/registered-models"


@dataclass
class World:
    """One universe's ledger and its registered model in MLflow."""

    store: Store
    server: Mlflow
    universe: str
    bundles: list[Bundle]
    draw: Random
    chosen: set[str] = field(default_factory=set)
    done: list[str] = field(default_factory=list)
    last: Callable[[], object] = lambda: None

    @property
    def name(self) -> str:
        return model_name(self.universe)

    @property
    def in_office(self) -> str:
        found = champion(self.store, self.universe)
        assert found is not None
        return found.bundle

    @property
    def rows(self) -> int:
        return self.store.query("SELECT * FROM promotions").num_rows

    def clock(self) -> datetime:
        """The clock of some machine, which may be days off."""
        return NOW + timedelta(hours=self.draw.uniform(-72, 72))

    def versions(self) -> dict[int, str]:
        fields = {"filter": f"name = '{self.name}'"}
        found = self.server.call("GET", "mlflow/model-versions/search", **fields)
        listed = found.get("model_versions", [])
        tags = {int(v["version"]): {t["key"]: t["value"] for t in v["tags"]} for v in listed}
        return {number: each.get("bundle", "") for number, each in tags.items()}

    def shown(self) -> str | None:
        """The bundle that the alias names."""
        found = self.server.found("GET", f"{REGISTERED}/alias", name=self.name, alias=ALIAS)
        tags = found["model_version"]["tags"] if found else []
        return next((t["value"] for t in tags if t["key"] == "bundle"), None)

    def look(self) -> str:
        return reconcile(self.store, self.server, self.universe, self.clock())

    def register(self, bundle: Bundle) -> None:
        """As a training does, if MLflow does not hold it."""
        if self.server.found("GET", f"{REGISTERED}/get", name=self.name) is None:
            self.server.call("POST", f"{REGISTERED}/create", name=self.name)
        if bundle.hash not in self.versions().values():
            tags = [{"key": "bundle", "value": bundle.hash}]
            fields = {"name": self.name, "source": "s3://elsewhere/model", "tags": tags}
            self.server.call("POST", "mlflow/model-versions/create", **fields)


@contextmanager
def away(world: World, calls: int) -> Iterator[None]:
    """MLflow answers so many calls, then goes away; the last one may still have been done."""
    left, done, send = [calls], world.draw.random() < 0.5, Mlflow._send

    def cut(self: Mlflow, verb: str, path: str, **request: Any) -> dict[str, Any]:
        left[0] -= 1
        if left[0] >= 0:
            return send(self, verb, path, **request)
        if left[0] == -1 and done:
            send(self, verb, path, **request)
        raise TrackingError("away")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Mlflow, "_send", cut)
        yield


def perhaps_away(world: World) -> Any:
    return away(world, world.draw.randrange(6) if world.draw.random() < 0.4 else 99)


def won(world: World, bundle: Bundle) -> Callable[[], int]:
    """The command that promotes the bundle, which won a contest against the champion of now."""
    decided = world.clock()
    decision: Any = SimpleNamespace(
        universe=world.universe,
        champion=world.in_office,
        challenger=bundle.hash,
        outcome=PROMOTED,
        promotion_id=uuid4().hex,
        reason="won",
        as_json=dict,
    )
    return lambda: office.apply(world.store, decision, Fit("soft", bundle.hash, 1), decided)


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
        return office.roll_back(world.store, world.universe, leaving, "worse", decided)

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


@pytest.fixture
def new_world(
    store: Store, mlflow_server: str, market: Market, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, int], World]:
    monkeypatch.setenv("FINPULSE_MLFLOW_URL", mlflow_server)
    settings.cache_clear()

    def make(universe: str, seed: int) -> World:
        bundles = [market.prior(chances, universe=universe) for chances in CHANCES]
        world = World(store, Mlflow(mlflow_server), universe, bundles, Random(seed))
        for bundle in bundles[: world.draw.randint(1, 4)]:
            world.register(bundle)
        office.install_first(store, universe, Fit("prior", bundles[0].hash, 1), world.clock())
        return world

    return make


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_alias_and_ledger_name_the_same_bundle(
    new_world: Callable[[str, int], World], seed: int
) -> None:
    world = new_world(f"order{seed}", seed)
    for _ in range(16):
        step = world.draw.choice(STEPS)
        world.done.append(step.__name__)
        step(world)
    looks = [world.look() for _ in range(3)]
    assert looks[-1] == "agreed", (world.done, looks)
    assert world.shown() == world.in_office, world.done
    in_order = "SELECT bundle FROM promotions WHERE decision <> 'refused' ORDER BY number"
    assert world.store.query(in_order)["bundle"].to_pylist()[-1] == world.in_office
    repeat(world)
    assert world.look() == "agreed"


def test_a_model_deleted_in_mlflow_is_registered_again_under_its_bundle(
    new_world: Callable[[str, int], World],
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
    new_world: Callable[[str, int], World],
) -> None:
    world = new_world("number", 1)
    world.look()
    lose_model(world)
    world.register(world.bundles[1])
    choose(world)
    assert world.shown() == world.bundles[1].hash
    assert world.look() != "agreed"
    assert world.shown() == world.in_office == world.bundles[0].hash


def test_what_cannot_be_registered_again_is_alarmed(
    new_world: Callable[[str, int], World],
) -> None:
    world = new_world("lost", 1)
    before = world.rows
    lose_model(world)
    objects.put(f"bundles/{world.in_office}/prior.json", b"{}")
    assert [world.look(), world.look()] == ["lost", "lost"]
    assert world.rows == before


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


def test_after_a_registration_anew_a_rollback_goes_to_another_bundle(
    new_world: Callable[[str, int], World],
) -> None:
    world = new_world("anew", 1)
    first, second, *_ = world.bundles
    won(world, second)()
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
