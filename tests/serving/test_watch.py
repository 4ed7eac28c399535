"""Whom the watch puts in front, against a real ledger."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from market import FLAT, STEEP, Market, close_of

from contracts import objects
from contracts.cut import Cut
from contracts.store import Store
from contracts.universe import universe
from serving.batch import predict
from serving.edge.metrics import Metrics
from serving.served.state import Seat
from serving.served.watch import Watch
from training.bundle import bundle
from training.bundle.bundle import Bundle
from training.bundle.manifest import ViewChanged

pytestmark = pytest.mark.integration


@pytest.fixture
def watch(store: Store, market: Market) -> Watch:
    """A watch that has not looked yet."""
    return Watch(store, market.universe, bundle.load, Metrics())


def served(watch: Watch) -> int | None:
    watch.poll()
    view = seat(watch).view if watch.state.seats else None
    return view.champion.model_version if view else None


def seat(watch: Watch) -> Seat:
    """That of the only office."""
    [found] = watch.state.seats.values()
    return found


def test_the_newest_champion_with_forecasts_is_served(
    store: Store, market: Market, watch: Watch
) -> None:
    assert served(watch) is None and watch.state.database
    market.crown(store, FLAT, 1)
    assert served(watch) == 1
    market.crown(store, STEEP, 2)
    assert served(watch) == 2
    assert seat(watch).waiting == ""


def test_a_champion_waits_for_its_forecasts_of_the_newest_session(
    store: Store, market: Market, watch: Watch
) -> None:
    market.crown(store, FLAT, 1)
    challenger = market.prior(STEEP)
    market.forecast(store, challenger, 2, market.sessions[-3:-1])
    market.promote(store, market.champion(challenger, 2))
    assert served(watch) == 1
    assert "python -m serving predict" in seat(watch).waiting
    assert seat(watch).in_office.model_version == 2
    market.forecast(store, challenger, 2, market.sessions[-3:])
    assert served(watch) == 2


@pytest.mark.troubleshooting("its bundle failed the checks: ... was changed")
def test_a_bundle_that_was_changed_is_never_served(
    store: Store, market: Market, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.crown(store, FLAT, 1)
    assert served(watch) == 1
    changed = market.crown(store, STEEP, 2)
    whole = objects.get(f"bundles/{changed.hash}/prior.json")
    objects.put(f"bundles/{changed.hash}/prior.json", b'{"probabilities": [1, 0, 0]}')
    assert served(watch) == 1
    assert seat(watch).waiting.startswith("its bundle failed the checks: ")
    assert "prior.json was changed" in seat(watch).waiting
    assert (
        'bundle_failures_total{target="trend_1",universe="sim20"} 1.0'
        in watch._metrics.text().decode()
    )
    assert served(watch) == 1, "it is not checked anew at each look"
    objects.put(f"bundles/{changed.hash}/prior.json", whole)
    monkeypatch.setattr("serving.served.watch.RETRY_SECONDS", 0.0)
    assert served(watch) == 2


def flipped(found: Bundle) -> None:
    key = f"bundles/{found.hash}/prior.json"
    content = bytearray(objects.get(key))
    content[-1] ^= 1
    objects.put(key, bytes(content))


def missing(found: Bundle) -> None:
    objects.remove(f"bundles/{found.hash}/prior.json")


def resealed(found: Bundle, **changed: bytes) -> str:
    """Store the bundle with other files, its hashes right: only what is inside betrays it."""
    names = {name.replace("_", "."): content for name, content in changed.items()}
    files = {name: objects.get(f"bundles/{found.hash}/{name}") for name in found.manifest.files}
    files |= names
    digests = {name: sha256(content).hexdigest() for name, content in sorted(files.items())}
    content = replace(found.manifest, files=digests).canonical()
    made = sha256(content).hexdigest()
    for name, part in (files | {"manifest.json": content}).items():
        objects.put(f"bundles/{made}/{name}", part)
    return made


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (flipped, "prior.json was changed"),
        (missing, "prior.json is missing"),
        (lambda found: resealed(found, prior_json=b'{"probabilities": [1, 0, 0]}'), "golden.json"),
        (lambda found: resealed(found, prior_pkl=pickle.dumps([1])), "prior.pkl"),
    ],
    ids=["a flipped byte", "a missing file", "wrong golden outputs", "a pickle inside"],
)
def test_a_spoilt_bundle_is_refused_by_name_and_the_former_stays(
    store: Store, market: Market, watch: Watch, spoil: Callable[[Bundle], str | None], told: str
) -> None:
    market.crown(store, FLAT, 1)
    assert served(watch) == 1
    steep = market.prior(STEEP)
    spoilt = replace(steep, hash=spoil(steep) or steep.hash)
    market.forecast(store, spoilt, 2, market.sessions[-3:])
    market.promote(store, market.champion(spoilt, 2))
    assert served(watch) == 1
    assert seat(watch).in_office.bundle == spoilt.hash
    assert told in seat(watch).waiting


def test_a_bundle_of_a_foreign_view_forecasts_nothing_and_the_former_stays(
    store: Store, market: Market, watch: Watch
) -> None:
    market.crown(store, FLAT, 1)
    assert served(watch) == 1
    foreign = market.prior(STEEP, view_hash="0" * 16)
    office = market.promote(store, market.champion(foreign, 2))
    asked = Cut.at(universe(market.universe), market.last, 7).back(3)
    with pytest.raises(ViewChanged, match="0" * 16):
        predict(store, office, foreign, asked, close_of(market.last))
    assert served(watch) == 1
    assert seat(watch).in_office == office and "no forecasts" in seat(watch).waiting


def test_a_champion_of_another_universe_is_refused(
    store: Store, market: Market, watch: Watch
) -> None:
    stranger = market.prior(FLAT, universe="elsewhere")
    market.forecast(store, stranger, 1, market.sessions[-3:])
    market.promote(store, market.champion(stranger, 1))
    assert served(watch) is None
    assert "elsewhere" in seat(watch).waiting


def test_new_forecasts_renew_the_view_and_nothing_new_keeps_it(
    store: Store, market: Market, watch: Watch
) -> None:
    flat = market.prior(FLAT)
    market.forecast(store, flat, 1, market.sessions[-3:-1])
    market.promote(store, market.champion(flat, 1))
    served(watch)
    before = seat(watch).view
    served(watch)
    assert seat(watch).view is before
    market.forecast(store, flat, 1, market.sessions[-3:])
    served(watch)
    after = seat(watch).view
    assert before and after
    moved = after.newest["SIM001"]["as_of"] - before.newest["SIM001"]["as_of"]
    assert moved == timedelta(days=3), "from Friday's close to Monday's"


def test_the_metrics_name_the_one_that_is_served(
    store: Store, market: Market, watch: Watch
) -> None:
    market.crown(store, FLAT, 1)
    served(watch)
    market.crown(store, STEEP, 2)
    served(watch)
    text = watch._metrics.text().decode()
    assert text.count("finpulse_serving_champion_info{") == 1
    assert 'target="trend_1",universe="sim20",version="2"} 1.0' in text
