"""What a bundle costs, asked in a process of its own: slow, broken and absent ones are told."""

import pytest
from game_day import CHAMPION, slow
from market import FLAT, STEEP, Market

from contracts import objects
from monitoring.release import weight
from monitoring.release.check import FAIL, NO_DATA, PASS


@pytest.mark.integration
def test_a_bundle_is_weighed_beside_another(market: Market) -> None:
    held, light = market.prior(FLAT), market.prior(STEEP)
    assert {one.result for one in weight.checks(held.hash, light.hash)} == {PASS}
    heavy = slow(market, CHAMPION)
    found = {one.name: one.result for one in weight.checks(held.hash, heavy.hash)}
    assert found == {"golden rows": PASS, "computing, ms": FAIL, "memory, MB": PASS}
    turned = {one.name: one.result for one in weight.checks(heavy.hash, held.hash)}
    assert set(turned.values()) == {PASS}


@pytest.mark.integration
def test_a_changed_bundle_fails_and_a_store_that_is_away_is_no_data(market: Market) -> None:
    held, changed = market.prior(FLAT), market.prior(STEEP)
    objects.put(f"bundles/{changed.hash}/prior.json", b'{"probabilities": [1, 0, 0]}')
    [told] = weight.checks(held.hash, changed.hash)
    assert told.result == FAIL and "was changed" in told.why
    loads, unknown = weight.checks(changed.hash, held.hash)
    assert (loads.result, unknown.result) == (PASS, NO_DATA)
    objects.remove("bundles")
    [told] = weight.checks(held.hash, changed.hash)
    assert told.result == NO_DATA


@pytest.mark.integration
def test_one_that_hangs_is_ended(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight, "SECONDS", 0.01)
    with pytest.raises(weight.TooHeavy, match="did not load and answer"):
        weight.weigh(market.prior(FLAT).hash)
