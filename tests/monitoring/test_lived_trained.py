"""A life in which something new is to be learnt: whoever was in office before cannot help, and a
challenger that was trained on settled rows comes into office without hands."""

from collections.abc import Callable

import numpy as np
import pytest
from lived import TRAINED, Life

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(3000)]

WEEK, BREAKS = 6, 330
# What docs/monitoring.md states of it: sessions until training is woken, and until whoever has
# learnt is in office. The newest 84 sessions are kept from training for the contest.
WOKEN_WITHIN, CLOSED_WITHIN = 40, 135


@pytest.mark.parametrize("seed", [1, 2])
def test_a_new_relation_is_learnt_and_who_learnt_it_comes_into_office_without_hands(
    life: Callable[..., Life], seed: int
) -> None:
    last = BREAKS + CLOSED_WITHIN
    before = np.arange(last + 5) < BREAKS
    told = np.where(before, 0.8, 0.35), np.where(before, 0.0, 0.8)
    one = life(told[0], volume_tells=told[1], seed=seed, symbols=36)
    learnt = one.in_office
    for place in range(TRAINED, BREAKS, WEEK):
        one.evening(place)
    assert one.in_office == learnt
    woken, closed = 0, 0
    for place in range(BREAKS, last):
        done = one.evening(place)
        # A change, of the inputs or of what they tell; not age.
        noticed = any(f"woken by {name}" in done for name in ("features", "realised_loss"))
        woken = woken or (place - BREAKS + 1 if noticed else 0)
        if one.in_office != learnt:
            closed = place - BREAKS + 1
            break
    print("\n".join(one.did))
    print(f"woken after {woken} sessions, another in office after {closed}", flush=True)
    assert 0 < woken <= WOKEN_WITHIN and closed > 0
    assert not [each for each in one.did if "back: " in each and "nobody" not in each]
    newest = one.in_office
    for later in range(BREAKS + closed, BREAKS + closed + 3):
        assert one.evening(later)[:1] == ["PROMOTE"], "the guard lets it stay"
    assert one.in_office == newest
    rows = one.rows("SELECT decision, cause, bundle FROM promotions ORDER BY number")
    staged, promoted = [row for row in rows if row["bundle"] == newest]
    assert (staged["decision"], staged["cause"]) == ("staged", "contest"), "it was trained"
    assert (promoted["decision"], promoted["cause"]) == ("promoted", "canary")
    verdicts = [row["verdict"] for row in one.rows("SELECT verdict FROM rollouts ORDER BY number")]
    assert verdicts == ["BEGIN", *3 * ["PROMOTE"]]
