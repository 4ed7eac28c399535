"""A game day: poisoned challengers are out within a minute, nobody sees it, a sound one gets in."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from game_day import BIASED, CHAMPION, SOUND, GameDay, game_day, no_numbers, nothing_said, slow
from predictor import wait_for

from contracts.champion import champion
from contracts.release.rollout import Rollout, staged
from contracts.store import Store
from training.steps.rollback import roll_back

pytestmark = pytest.mark.integration

# By which a poisoned challenger is out: of a machine that has nothing else to do.
SECONDS = 60.0


@pytest.fixture
def day(store: Store, tmp_path: Path) -> Iterator[GameDay]:
    """One office, served by two workers, under load, counted by a Prometheus."""
    with game_day(store, tmp_path) as made:
        yield made


def slowed(day: GameDay) -> Rollout:
    bundle = slow(day.market, CHAMPION)
    release = day.stage(bundle)
    day.forecast(release, bundle)
    return release


def erring(day: GameDay) -> Rollout:
    bundle = day.market.prior((0.3, 0.41, 0.29))
    release = day.stage(bundle)
    day.spoil(release, bundle, **nothing_said())
    wait_for(lambda: day.counted("challenger", "failed") > 0, 30)
    return release


def nan(day: GameDay) -> Rollout:
    bundle = day.market.prior((0.29, 0.41, 0.3))
    release = day.stage(bundle)
    day.spoil(release, bundle, **no_numbers())
    return release


def biased(day: GameDay) -> Rollout:
    bundle = day.market.prior(BIASED)
    release = day.stage(bundle)
    day.forecast(release, bundle)
    return release


# What each is out for. Whose forecasts cannot be told is found by the ledger's rows, too, where
# Prometheus has not counted enough of its callers yet.
POISONS = {
    slowed: ("computing, ms",),
    erring: ("failed answers, %", "answers are sound"),
    nan: ("answers are sound",),
    biased: ("settled direction loss",),
}


def crowd() -> float:
    """How many times longer things take here and now than alone."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def test_a_game_day(day: GameDay) -> None:
    for poison, told in POISONS.items():
        began = time.monotonic()
        poison(day)
        out, *_ = day.until("out", SECONDS * crowd())
        took = time.monotonic() - began
        print(f"{poison.__name__}: out after {took:.1f} s")
        assert took < SECONDS * crowd()
        assert any(each in out.reason for each in told), (poison.__name__, out.reason)
        wait_for(lambda: staged(day.store) == [])
        assert set(day.load.answers) == {(200, 1)} and day.load.failures == []

    sound = day.market.prior(SOUND)
    release = day.stage(sound)
    day.forecast(release, sound)
    rows = day.until("office", 120 * crowd())
    shares = [row.share for row in reversed(rows) if row.verdict in ("BEGIN", "PROMOTE")]
    assert shares == [0.0, 0.1, 0.5, 1.0]
    in_office = champion(day.store, day.office)
    assert in_office is not None and in_office.bundle == sound.hash
    wait_for(lambda: day.answers_now() == {release.model_version})

    began = time.monotonic()
    back = roll_back(day.store, day.office, sound.hash, "a game day", datetime.now(UTC))
    assert back is not None
    wait_for(lambda: day.answers_now() == {1})
    took = time.monotonic() - began
    print(f"rolled back after {took:.1f} s")
    assert took < 5 * crowd() + 5
    assert set(day.load.answers) == {(200, 1), (200, release.model_version)}
    assert day.load.failures == []
