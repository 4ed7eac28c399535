"""A life in which something new is to be learnt: whoever was in office before cannot help, and a
challenger that was trained on settled rows comes into office without hands."""

from collections.abc import Callable
from time import process_time

import numpy as np
import pytest
from lived import CONTEST, TRAINED, Life

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(3000)]

WEEK, BREAKS, LAST = 6, 330, 480


@pytest.mark.parametrize("seed", [1])
def test_a_new_relation_is_learnt_and_who_learnt_it_comes_into_office_without_hands(
    life: Callable[..., Life], seed: int
) -> None:
    before = np.arange(LAST + 4) < BREAKS
    told = np.where(before, 0.8, 0.35), np.where(before, 0.0, 0.8)
    one = life(told[0], volume_tells=told[1], seed=seed, symbols=36)
    learnt = one.in_office
    for place in range(TRAINED, BREAKS, WEEK):
        one.evening(place)
    assert one.in_office == learnt
    began = process_time()
    for place in range(BREAKS, LAST):
        done = one.evening(place)
        if done or place % 10 == 0:
            print(place - BREAKS + 1, done, f"{process_time() - began:.0f} s", flush=True)
            for r in one.rows(
                "SELECT family, number, severe, persistent FROM alarms WHERE session = (SELECT max(session) FROM alarms)"
            ):
                print("   ", *r.values(), flush=True)
        if one.in_office != learnt:
            break
    print("closed after", place - BREAKS + 1)
    for r in one.rows("SELECT decision,cause,bundle,reason FROM promotions ORDER BY number"):
        print(r)
    for r in one.rows("SELECT verdict,stage,share,reason FROM rollouts ORDER BY number"):
        print(r)
    assert one.in_office != learnt
