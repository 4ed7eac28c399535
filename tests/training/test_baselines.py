"""Baselines at their best: the class is the rule's, the chances are what followed in training."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from training.bundle.checks import Leak
from training.evidence.guards import require_best_chances
from training.evidence.score import tally
from training.objective import Baseline, Forecasts, Rows
from training.objectives.trend import (
    DOWN,
    NEUTRAL,
    UNKNOWN,
    UP,
    Trend,
    always_up,
    class_prior,
    persistence,
    reversal,
)
from training.samples.folds import Fold, WalkForward
from training.samples.samples import Samples, from_matrix

Make = Callable[..., pa.Table]
CUT = WalkForward(count=1)
TREND, BASELINES = Trend(), Trend.baselines


def uneven(samples: Samples, seed: int = 0) -> Samples:
    """Rising more often than falling and seldom calm; what was last comes again now and then."""
    random = np.random.default_rng(seed)
    drawn = random.choice(3, len(samples), p=(0.3, 0.1, 0.6))
    last = random.choice(3, len(samples), p=(0.3, 0.1, 0.6))
    again = random.random(len(samples)) < 0.2
    known = np.where(random.random(len(samples)) < 0.1, np.nan, last)
    return told(samples.with_truth(np.where(again, last, drawn)), persistence=known)


def told(samples: Samples, **beside: np.ndarray) -> Samples:
    """The rows with other columns beside their features."""
    return replace(samples, beside={**samples.beside, **beside})


@pytest.fixture(scope="module")
def rows(matrix: Make) -> Samples:
    return from_matrix(matrix(sessions=240, instruments=30, effect=0.0))


@pytest.fixture(scope="module")
def market(rows: Samples) -> tuple[Samples, Fold]:
    return uneven(rows), CUT.split(rows)[-1]


def test_the_class_is_what_the_rule_says(samples: Samples) -> None:
    train, test = samples.take(np.arange(600)), samples.take(np.arange(600, 606))
    assert always_up(train, test).point.tolist() == [2] * 6
    first = told(test, persistence=np.array([0, 1, 2, np.nan, 0, 2]))
    majority = int(np.bincount(train.truth).argmax())
    assert persistence(train, first).point.tolist() == [0, 1, 2, majority, 0, 2]
    before = np.array([0.01, -0.02, 0.0, np.nan, 1e-9, -1.0])
    turned = reversal(train, told(test, return_before=before))
    assert turned.point.tolist() == [0, 2, majority, majority, 0, 2]


def test_the_chances_are_the_frequencies_after_what_it_says(market: tuple[Samples, Fold]) -> None:
    samples, fold = market
    train, test = samples.take(fold.train), samples.take(fold.test)
    said = persistence(train, test).values
    for state in (DOWN, NEUTRAL, UP, UNKNOWN):
        after = train.truth[newest(train) == state]
        shares = np.bincount(after, minlength=3) / len(after)
        # Thin rows lean on all rows by the weight of three.
        found = said[newest(test) == state]
        assert np.abs(found - shares).max() < 3 / len(after)
    prior = class_prior(train, test).values
    assert np.abs(always_up(train, test).values - prior).max() < 1e-3


def test_a_class_that_was_never_said_in_training_has_all_frequencies(samples: Samples) -> None:
    train = told(samples, persistence=np.ones(len(samples)))
    test = told(samples, persistence=np.zeros(len(samples)))
    said = persistence(train, test).values
    assert np.abs(said - class_prior(train, test).values).max() < 1e-12


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", BASELINES)
def test_a_coin_beats_no_baseline(rows: Samples, name: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    shares = (0.35, 0.25, 0.4)
    last, now = random.choice(3, (2, len(rows)), p=shares)
    noise = told(rows.with_truth(now), persistence=last.astype(float))
    fold = CUT.split(noise)[-1]
    train, test = noise.take(fold.train), noise.take(fold.test)
    scores = tally(BASELINES[name](train, test), test.truth, test.sessions).scores()
    assert scores["direction_loss"][0] < np.log(2) + 0.005
    true = Forecasts(TREND, np.tile(shares, (len(test), 1)))
    best = tally(true, test.truth, test.sessions).scores()
    assert scores["log_loss"][0] < best["log_loss"][0] + 0.005


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_is_at_its_best(market: tuple[Samples, Fold], name: str) -> None:
    require_best_chances(BASELINES[name], *market)


def newest(rows: Rows) -> np.ndarray:
    return np.nan_to_num(rows.beside["persistence"], nan=UNKNOWN).astype(int)


def share_of_right(train: Rows, test: Rows) -> Forecasts:
    right = np.mean(newest(train) == train.truth)
    chances = np.full((len(test), 3), (1 - right) / 2)
    chances[np.arange(len(test)), newest(test)] = right
    return Forecasts(TREND, chances)


def sharpened(train: Rows, test: Rows) -> Forecasts:
    best = persistence(train, test)
    raised = best.values**3
    return Forecasts(TREND, raised / raised.sum(axis=1, keepdims=True), best.named)


def drowsy(train: Rows, test: Rows) -> Forecasts:
    return Forecasts(TREND, np.full((len(test), 3), 1 / 3), always_up(train, test).named)


def wrong_way(train: Rows, test: Rows) -> Forecasts:
    best = always_up(train, test)
    return Forecasts(TREND, best.values[:, ::-1], best.named)


@pytest.mark.parametrize("handicapped", [share_of_right, sharpened, drowsy, wrong_way])
def test_a_handicapped_baseline_is_found(
    market: tuple[Samples, Fold], handicapped: Baseline
) -> None:
    with pytest.raises(Leak, match="a baseline must be at its best"):
        require_best_chances(handicapped, *market)
