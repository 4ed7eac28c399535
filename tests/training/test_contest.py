"""Who may take office, and how often luck would."""

from dataclasses import replace

import numpy as np
import pytest

from contracts.champion import KEPT, PROMOTED
from training.bootstrap import Blocks
from training.contest import Comparison, Decision, Parties, Rules, decide

PARTIES = Parties("sim", "challenger", "champion", 3)
RULES = Rules(blocks=Blocks(draws=400))


def losses(gain: float, sessions: int = 100, seed: int = 0, noise: float = 0.2) -> Comparison:
    random = np.random.default_rng(seed)
    champion = 1.0 + random.normal(0, 0.3, sessions * 10)
    challenger = champion - gain + random.normal(0, noise, sessions * 10)
    days = np.repeat(np.arange(sessions), 10).astype("datetime64[D]")
    return Comparison(challenger, champion, days)


def test_a_better_challenger_takes_office() -> None:
    decision = decide(PARTIES, losses(0.05), RULES)
    assert decision.outcome == PROMOTED
    assert decision.low < decision.gain < decision.high
    found = losses(0.05)
    assert decision.gain == pytest.approx(found.champion.mean() - found.challenger.mean())


def test_equal_models_never_swap() -> None:
    decision = decide(PARTIES, losses(0.0, noise=0.0), RULES)
    assert (decision.outcome, decision.gain, decision.p_value) == (KEPT, 0.0, 1.0)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (losses(0.05, sessions=39), "39 sessions are fewer than 40"),
        (losses(0.0005, noise=0.0), "below the margin"),
        (losses(-0.05), "below the margin"),
        (losses(0.03, noise=1.0, seed=0), "is unsure"),
        (losses(0.05, sessions=0), "no session is newer than both"),
        (replace(losses(0.05), log_losses=(1.01, 1.0)), "log loss is larger by 0.01000"),
    ],
)
def test_doubt_keeps_the_champion(found: Comparison, reason: str) -> None:
    decision = decide(PARTIES, found, RULES)
    assert decision.outcome == KEPT
    assert decision.reason.startswith("no decision") and reason in decision.reason


def test_luck_alone_is_promoted_about_as_often_as_the_level_says() -> None:
    rules = Rules(margin=0.0, blocks=Blocks(draws=200, length=5))
    wins = sum(
        decide(PARTIES, losses(0.0, seed=seed), rules).outcome == PROMOTED for seed in range(300)
    )
    # Blocks of few sessions are a little liberal; 0.1 of 300 is 30, its deviation 5.
    assert 15 < wins < 55


def test_equal_contests_bear_one_name() -> None:
    decision = decide(PARTIES, losses(0.05), RULES)
    assert decision.promotion_id == decide(PARTIES, losses(0.05), RULES).promotion_id
    assert Decision(**decision.as_json()) == decision
    other = Parties("sim", "challenger", "champion", 4)
    assert decide(other, losses(0.05), RULES).promotion_id != decision.promotion_id
