"""Whether a challenger's chances and distances are what comes, beside its champion's."""

import numpy as np
import pytest

from monitoring.release import calibration
from monitoring.release.check import FAIL, NO_DATA, PASS
from monitoring.release.losses import FEWEST, LEVEL, Paired
from training.forecast import Floats
from training.objective import OBJECTIVES

SYMBOLS = 25


def drawn(seed: int, sessions: int = 40) -> tuple[Floats, np.ndarray, np.ndarray]:
    """True chances of three classes (n, 3), what came of them (n,), and the sessions (n,)."""
    draw = np.random.default_rng(seed)
    chances = draw.dirichlet([6.0, 8.0, 6.0], sessions * SYMBOLS)
    came = (chances.cumsum(axis=1) < draw.random((len(chances), 1))).sum(axis=1)
    days = np.datetime64("2025-01-01") + np.repeat(np.arange(sessions), SYMBOLS)
    return chances, np.minimum(came, 2), days


def mixed(chances: Floats, share: float, one: int = 2) -> Floats:
    """So much more for one class, whatever is known."""
    return (1 - share) * chances + share * np.eye(3)[one]


def sharper(chances: Floats, power: float) -> Floats:
    raised = chances**power
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def asked(champion: Floats, challenger: Floats, came: np.ndarray, days: np.ndarray) -> Paired:
    return Paired(OBJECTIVES.get("trend"), champion, challenger, came, days)


def test_a_constant_bias_and_too_sure_chances_go_whichever_way() -> None:
    chances, came, days = drawn(1)
    for one in range(3):
        found = calibration.check(asked(chances, mixed(chances, 0.3, one), came, days), 1)
        assert found.result == FAIL and "level" in found.why
    sure = calibration.check(asked(chances, sharper(chances, 4.0), came, days), 1)
    assert sure.result == FAIL and "sureness" in sure.why
    assert sure.challenger is not None and sure.champion is not None
    assert sure.challenger > calibration.MARGIN > sure.champion


def test_who_is_no_worse_than_the_champion_stays() -> None:
    chances, came, days = drawn(2)
    flat = np.broadcast_to(chances.mean(axis=0), chances.shape)
    poor = mixed(chances, 0.2)
    for champion, challenger in (
        *((chances, chances), (flat, chances), (chances, flat)),
        *((poor, chances), (poor, poor), (poor, mixed(chances, 0.2, 0))),
    ):
        found = calibration.check(asked(champion, challenger, came, days), 1)
        assert found.result == PASS and not found.why


def test_few_sessions_say_nothing_and_neither_do_few_blocks_of_long_labels() -> None:
    chances, came, days = drawn(3, FEWEST - 1)
    rows = asked(chances, mixed(chances, 0.2), came, days)
    assert calibration.check(rows, 1).result == NO_DATA
    chances, came, days = drawn(3, FEWEST)
    rows = asked(chances, mixed(chances, 0.2), came, days)
    assert [calibration.check(rows, h).result for h in (1, FEWEST)] == [FAIL, PASS]


def test_a_return_that_is_always_too_high_goes() -> None:
    draw = np.random.default_rng(4)
    middle = draw.normal(0, 0.3, 40 * SYMBOLS)
    came = middle + draw.normal(size=len(middle))
    days = np.datetime64("2025-01-01") + np.repeat(np.arange(40), SYMBOLS)
    objective = OBJECTIVES.get("return")
    spread = np.linspace(-1.28, 1.28, len(objective.columns))
    said = middle[:, None] + spread
    rows = Paired(objective, said, said + 0.5, came, days)
    found = calibration.check(rows, 1)
    assert found.result == FAIL and found.why.startswith("return, level")
    assert calibration.check(Paired(objective, said, said + 0.01, came, days), 1).result == PASS


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.05, 0.2, 0.5])
def test_a_challenger_that_is_as_good_goes_by_chance_no_more_often_than_stated(
    noise: float,
) -> None:
    gone, worlds = 0, 500
    for seed in range(worlds):
        chances, came, days = drawn(100 + seed, FEWEST)
        draw = np.random.default_rng(seed)
        both = chances * np.exp(draw.normal(0, noise, (2, *chances.shape)))
        rows = asked(*(both / both.sum(axis=2, keepdims=True)), came, days)
        gone += calibration.check(rows, 1).result == FAIL
    assert gone <= LEVEL * worlds
