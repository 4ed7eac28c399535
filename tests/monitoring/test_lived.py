"""Years that a universe lives through by the real verbs, and a loop that closes without hands."""

from collections.abc import Callable

import numpy as np
import pytest
from lived import TRAINED, Life

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(3000)]

YEAR, WEEK = 252, 6
# What docs/monitoring.md states of a concept that turns round: sessions until training is woken,
# and until somebody else is in office.
WOKEN_WITHIN, CLOSED_WITHIN = 20, 25


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_concept_that_turns_round_is_noticed_and_the_loop_closes_without_hands(
    life: Callable[..., Life], seed: int
) -> None:
    breaks = 330
    last = breaks + CLOSED_WITHIN
    one = life(np.where(np.arange(last + 4) < breaks, 0.6, -0.6), seed=seed)
    learnt = one.in_office
    for place in range(TRAINED, breaks, WEEK):
        assert not [d for d in one.evening(place) if "back" in d and "nobody" not in d]
    assert one.in_office == learnt
    woken, closed = 0, 0
    for place in range(breaks, last + 1):
        done = one.evening(place)
        woken = woken or (place - breaks + 1 if "woken by realised_loss" in done else 0)
        if one.in_office != learnt:
            closed = place - breaks + 1
            break
    print("\n".join(one.did))
    print(f"woken after {woken} sessions, another in office after {closed}")
    assert 0 < woken <= WOKEN_WITHIN and 0 < closed <= CLOSED_WITHIN
    back = one.in_office
    for later in range(breaks + closed, breaks + closed + 3):
        one.day(later)
        assert one.verb("monitoring", "rollout", later) == "PROMOTE", "the guard lets it stay"
    assert one.in_office == back
    rows = one.rows("SELECT decision, cause, bundle FROM promotions ORDER BY number")
    assert [row["cause"] for row in rows[-2:]] == ["earlier", "canary"], "nobody was trained"
    verdicts = one.rows("SELECT verdict, stage FROM rollouts ORDER BY number")
    told = [row["verdict"] for row in verdicts]
    # A gate waits until twelve sessions of the new world are settled.
    assert [each for each in told if each != "HOLD"] == ["BEGIN", *3 * ["PROMOTE"]], told


@pytest.mark.parametrize("seed", [3, 4])
def test_a_year_without_a_change_alarms_at_most_once_a_family_and_promotes_nobody(
    life: Callable[..., Life], seed: int
) -> None:
    one = life(np.full(TRAINED + YEAR + 1, 0.6), seed=seed)
    learnt = one.in_office
    for place in range(TRAINED, TRAINED + YEAR + 1, WEEK):
        one.evening(place)
    print("\n".join(one.did))
    rows = one.rows("SELECT family, session, alarm, number, watched FROM alarms ORDER BY session")
    families = {row["family"] for row in rows}
    assert families == {"features", "confidence", "realised_loss", "freshness"}
    for family in families - {"freshness"}:
        raised = [row["alarm"] for row in rows if row["family"] == family]
        begins = sum(
            now and not before for before, now in zip([False, *raised], raised, strict=False)
        )
        print(f"{family}: {begins} alarms")
        assert begins <= 1, family
    assert one.in_office == learnt, "nobody was promoted for nothing"
    promoted = one.rows("SELECT cause FROM promotions WHERE decision <> 'kept' ORDER BY number")
    assert [row["cause"] for row in promoted] == ["zero", "contest"], "nor staged"
    assert max(row["watched"] for row in rows) >= YEAR - 25
