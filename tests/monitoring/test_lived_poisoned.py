"""A life in which a person puts spoilt champions into office, and the guard puts them out."""

from collections.abc import Callable

import numpy as np
import pytest
from lived import OFFICE, TRAINED, Life
from poisoned import leaning, turned

from contracts.release.rollout import decisions
from training.bundle import bundle
from training.bundle.bundle import Bundle
from training.office.staging import ReleaseRefused

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(3000)]

REST = 4  # sessions, longer than the office cools down


@pytest.mark.parametrize("spoilt", [turned, leaning])
def test_a_poisoned_champion_is_out_within_one_evaluation_and_stays_out(
    life: Callable[..., Life], spoilt: Callable[[Bundle], Bundle]
) -> None:
    one = life(np.full(TRAINED + 20, 0.6))
    sound = one.in_office
    for place in range(TRAINED, TRAINED + 3):
        assert one.evening(place) == []
    poisoned = spoilt(bundle.load(sound))
    assert one.choose(poisoned, place) == "recorded" and one.in_office == poisoned.hash
    place += 1
    assert one.evening(place) == ["ROLLBACK"], "the first evaluation that sees it"
    assert one.in_office == sound
    print(decisions(one.store, OFFICE)[0].reason)
    rows = one.rows("SELECT cause, bundle FROM promotions ORDER BY number")
    with pytest.raises(ReleaseRefused, match="cools down"):
        one.verb("monitoring", "rollout", place, "--begin", poisoned.hash)
    for _ in range(REST):
        place += 1
        assert one.evening(place) == [] and one.in_office == sound, "no turns"
    one.verb("monitoring", "rollout", place, "--begin", poisoned.hash)
    assert one.evening(place + 1) == ["ROLLBACK"], "the gate sends it away before anybody hears it"
    newest = decisions(one.store, OFFICE)[0]
    assert newest.stage == "out" and "settled" in newest.reason
    assert one.in_office == sound
    assert one.rows("SELECT cause, bundle FROM promotions ORDER BY number") == rows
