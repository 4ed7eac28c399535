"""The conformance suite: every discovered ensemble passes all of it, with each head it bears."""

import json

import numpy as np
import pytest
from answers import answers, truths
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from training.ensemble import ENSEMBLES, Ensemble, cheapest, learned
from training.ensembles.stacking import fitted
from training.forecast import Classes, Floats, Quantiles
from training.objective import ABSTAIN, OBJECTIVES, Forecasts, Objective, Truth

PAIRS = [
    (member.name, objective.name)
    for member in ENSEMBLES
    for objective in OBJECTIVES
    if isinstance(objective.head, member.heads)
]
# What may find all of one mind wrong together.
MENDS = {"stacking"}
TREND = OBJECTIVES.get("trend")


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest) -> tuple[Ensemble, Objective]:
    name, objective = request.param
    return ENSEMBLES.get(name)(), OBJECTIVES.get(objective)


def said(objective: Objective, members: int, n: int, seed: int = 0) -> tuple[Floats, Truth]:
    found = [answers(objective.head, n, seed + 31 * i) for i in range(members)]
    return np.stack(found), truths(objective.head, n, seed)


def test_the_ensembles_are_found() -> None:
    names = ("majority", "weighted", "soft", "stacking", "bma", "threshold")
    assert {(name, "trend") for name in names} <= set(PAIRS)
    names = ("weighted", "soft", "stacking", "bma")
    assert {(name, "volatility") for name in names} <= set(PAIRS)
    assert ("soft", "signal") in PAIRS


@pytest.mark.parametrize(("name", "of"), PAIRS)
@settings(max_examples=25, deadline=None)
@given(members=st.integers(1, 5), n=st.integers(0, 60), seed=st.integers(0, 1000))
def test_the_answer_is_a_forecast(name: str, of: str, members: int, n: int, seed: int) -> None:
    ensemble, objective = ENSEMBLES.get(name)(), OBJECTIVES.get(of)
    chances, truth = said(objective, members, n, seed)
    # Parameters are plain JSON: they are read back before they are used.
    parameters = json.loads(json.dumps(ensemble.fit(objective, chances, truth)))
    fresh, _ = said(objective, members, 40, seed + 1)
    joined = ensemble.combine(parameters, fresh, objective.head)
    assert len(joined) == 40
    objective.head.require(joined)


def test_the_order_of_the_members_does_not_matter(pair: tuple[Ensemble, Objective]) -> None:
    ensemble, objective = pair
    chances, truth = said(objective, 4, 200)
    order = np.array([2, 0, 3, 1])
    fresh, _ = said(objective, 4, 50, seed=1)
    straight = ensemble.combine(ensemble.fit(objective, chances, truth), fresh, objective.head)
    parameters = ensemble.fit(objective, chances[order], truth)
    mixed = ensemble.combine(parameters, fresh[order], objective.head)
    assert mixed == pytest.approx(straight, abs=1e-9)


def test_members_of_one_mind_are_not_contradicted(pair: tuple[Ensemble, Objective]) -> None:
    ensemble, objective = pair
    one, truth = said(objective, 1, 400)
    if ensemble.name in MENDS:
        truth = truth[:100]  # too few to mend by
    one = one[:, : len(truth)]
    same = np.repeat(one, 3, axis=0)
    joined = ensemble.combine(ensemble.fit(objective, same, truth), same, objective.head)
    assert joined == pytest.approx(one[0], abs=1e-9)


def test_nothing_known_yet_weighs_all_alike(pair: tuple[Ensemble, Objective]) -> None:
    ensemble, objective = pair
    chances, truth = said(objective, 3, 10)
    none = ensemble.fit(objective, chances[:, :0], truth[:0])
    straight = ensemble.combine(none, chances, objective.head)
    for order in ([1, 2, 0], [1, 0, 2]):
        mixed = ensemble.combine(none, chances[order], objective.head)
        assert mixed == pytest.approx(straight)


def test_soft_is_the_mean() -> None:
    soft = ENSEMBLES.get("soft")()
    chances = np.array([[[0.7, 0.2, 0.1]], [[0.6, 0.3, 0.1]], [[0.5, 0.4, 0.1]]])
    assert soft.combine({}, chances, TREND.head)[0] == pytest.approx([0.6, 0.3, 0.1])


def test_weighted_finds_the_best_mixture() -> None:
    weighted = ENSEMBLES.get("weighted")()
    chances, truth = said(TREND, 2, 4000)
    # Every third row the first member knows; else the second one is as good as the truth.
    knows = np.arange(4000) % 3 == 0
    sure = np.eye(3)[truth] * 0.7 + 0.1
    chances[0, knows], chances[1, ~knows] = sure[knows], sure[~knows]
    [first, second] = weighted.fit(TREND, chances, truth)["weights"]
    grid = np.linspace(0.001, 0.999, 999)
    picked = chances[:, np.arange(4000), truth]
    losses = [-np.log(w * picked[0] + (1 - w) * picked[1]).mean() for w in grid]
    assert first == pytest.approx(grid[int(np.argmin(losses))], abs=2e-3)
    assert first + second == pytest.approx(1)


VOLATILITY = OBJECTIVES.get("volatility")
LEARNERS = [pair for pair in PAIRS if pair[0] in {"weighted", "stacking", "bma"}]


def tellers(objective: Objective, n: int, noise: tuple[float, ...], seed: int = 0) -> Floats:
    """Members who know the truths of `truths_of`, each beside its own noise."""
    random, head = np.random.default_rng(seed + 1), objective.head
    known = scores_of(objective, n, seed)
    errors = [s * random.normal(size=known.shape) for s in noise]
    # Of quantiles the middle is known, and from there they lie as those of a normal law do.
    apart = ndtri(head.levels) if isinstance(head, Quantiles) else 0.0
    return np.stack([head.from_scores(known + error + apart) for error in errors])


def scores_of(objective: Objective, n: int, seed: int) -> Floats:
    width = 1 if isinstance(objective.head, Quantiles) else objective.head.width
    return np.random.default_rng(seed).normal(size=(n, width))


def truths_of(objective: Objective, n: int, seed: int = 0) -> Truth:
    """What comes when the scores are so: a class drawn by its chance, or a number beside it."""
    random, scores = np.random.default_rng(seed + 2), scores_of(objective, n, seed)
    if isinstance(objective.head, Classes):
        ends = objective.head.from_scores(scores).cumsum(axis=1)
        return np.minimum((random.random(n)[:, None] > ends).sum(axis=1), objective.head.width - 1)
    if isinstance(objective.head, Quantiles):
        return np.asarray(scores[:, 0] + random.normal(size=n))
    return np.asarray(objective.head.from_scores(scores)[:, 0] * np.abs(random.normal(size=n)))


@pytest.mark.parametrize(("name", "of"), LEARNERS)
def test_a_planted_best_member_is_found(name: str, of: str) -> None:
    ensemble, objective = ENSEMBLES.get(name)(), OBJECTIVES.get(of)
    chances, truth = tellers(objective, 6000, (1.5, 0.1, 1.5)), truths_of(objective, 6000)
    parameters = ensemble.fit(objective, chances, truth)
    first, best, last = parameters["weights"]
    assert best > 0.8 * (abs(first) + best + abs(last)) and best > 0.7
    fresh, came = tellers(objective, 2000, (1.5, 0.1, 1.5), 9), truths_of(objective, 2000, 9)
    own = np.nanmean(learned(objective, ensemble.combine(parameters, fresh, objective.head), came))
    soft = np.nanmean(learned(objective, fresh.mean(axis=0), came))
    alone = np.nanmean(learned(objective, fresh[1], came))
    assert own < soft - 0.01 and own < alone + 0.01


@pytest.mark.parametrize(("name", "of"), LEARNERS)
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 5))]
)
def test_nothing_but_noise_leaves_equal_weights(name: str, of: str, seed: int) -> None:
    ensemble, objective = ENSEMBLES.get(name)(), OBJECTIVES.get(of)
    # All know as much, or as little: who seems best is chance.
    chances, truth = tellers(objective, 6000, (1.0,) * 4, seed), truths_of(objective, 6000, seed)
    weights = np.array(ensemble.fit(objective, chances, truth)["weights"])
    assert np.abs(weights / weights.sum() - 0.25).max() < 0.1


def test_most_votes_win_and_ties_go_to_the_larger_mean_chance() -> None:
    majority = ENSEMBLES.get("majority")()
    down, up, sure = [0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [0.0, 0.05, 0.95]

    def joined(*members: list[float]) -> list[float]:
        found: list[float] = majority.combine({}, np.array(members)[:, None], TREND.head)[
            0
        ].tolist()
        return found

    assert joined(down, down, sure) == pytest.approx(down), "however sure the third is"
    assert joined(down, up, up) == pytest.approx(up)
    assert joined(up, down, sure) == pytest.approx(np.mean([up, sure], axis=0))
    assert joined(down, sure) == joined(sure, down) == pytest.approx(sure), "the surer of two"
    assert joined(up, down) == joined(down, up) == pytest.approx(down), "the first of equals"


def test_belief_follows_bayes_where_all_evidence_is_believed() -> None:
    from training.ensembles.bma import posterior

    chances, truth = said(TREND, 3, 12)
    likelihoods = np.prod(chances[:, np.arange(12), truth], axis=1)
    evidence = np.log(chances[:, np.arange(12), truth]).sum(axis=1)
    assert posterior(evidence, 1.0) == pytest.approx(likelihoods / likelihoods.sum())
    assert posterior(evidence, 0.0) == pytest.approx([1 / 3] * 3)
    # One member tells the truth: all of the evidence is believed, and nothing else is left.
    best, came = tellers(TREND, 4000, (0.0, 2.0)), truths_of(TREND, 4000)
    found = ENSEMBLES.get("bma")().fit(TREND, best, came)
    assert found["weights"][0] > 0.99


def test_stacked_chances_are_a_logistic_regression() -> None:
    """Its weights are shared by the classes: as scipy finds them on the same loss."""
    from scipy.optimize import minimize

    chances, truth = tellers(TREND, 1500, (0.3, 1.0)), truths_of(TREND, 1500)
    logs, start = np.log(chances), np.array([0.5, 0.5, 0, 0, 0])

    def loss(at: Floats) -> float:
        scores = np.tensordot(at[:2], logs, axes=1) + at[2:]
        raised = np.exp(scores - scores.max(axis=1, keepdims=True))
        told = raised[np.arange(1500), truth] / raised.sum(axis=1)
        return float(-np.log(told).mean() + 0.01 / 2 * ((at - start) ** 2).sum())

    wanted = minimize(loss, start, method="BFGS", options={"gtol": 1e-8}).x
    found = fitted(TREND.head, chances, truth, 0.01)
    assert [*found.weights, *found.intercept] == pytest.approx(wanted, abs=1e-5)


def test_stacked_values_are_right_on_average() -> None:
    values, truth = tellers(VOLATILITY, 3000, (0.2, 1.0)), truths_of(VOLATILITY, 3000)
    stacking = ENSEMBLES.get("stacking")()
    joined = stacking.combine(stacking.fit(VOLATILITY, values, truth), values, VOLATILITY.head)
    # Of a volatility the mean variance is to be right, as the head says.
    assert np.mean((truth / joined[:, 0]) ** 2) == pytest.approx(1, abs=0.02)


def test_weighted_values_have_the_smallest_loss_of_all_mixtures() -> None:
    values, truth = tellers(VOLATILITY, 3000, (0.3, 0.6)), truths_of(VOLATILITY, 3000)
    weighted = ENSEMBLES.get("weighted")()
    [first, _] = weighted.fit(VOLATILITY, values, truth)["weights"]
    grid = np.linspace(0, 1, 1001)
    mixtures = (w * values[0] + (1 - w) * values[1] for w in grid)
    losses = [learned(VOLATILITY, each, truth).mean() for each in mixtures]
    assert first == pytest.approx(grid[int(np.argmin(losses))], abs=5e-3)


def test_the_threshold_leaves_the_surer_half_its_signals() -> None:
    threshold = ENSEMBLES.get("threshold")()
    chances, truth = tellers(TREND, 4000, (0.3, 0.3)), truths_of(TREND, 4000)
    parameters = threshold.fit(TREND, chances, truth)
    joined = threshold.combine(parameters, chances, TREND.head)
    assert joined == pytest.approx(chances.mean(axis=0))
    asked = {**TREND.thresholds, **threshold.thresholds(TREND.head, joined)}
    signals = np.array(TREND.signals(Forecasts(TREND, joined), asked))
    assert (signals == ABSTAIN).mean() == pytest.approx(0.5, abs=0.01)
    sure = joined.max(axis=1)
    assert sure[signals == ABSTAIN].max() < sure[signals != ABSTAIN].min()
    hits = joined.argmax(axis=1) == truth
    assert hits[signals != ABSTAIN].mean() > hits.mean() + 0.05
    # Without a threshold nobody abstains, and the others' signals are what they were.
    plain = np.array(TREND.signals(Forecasts(TREND, joined), TREND.thresholds))
    assert ABSTAIN not in plain and (plain == signals)[signals != ABSTAIN].all()


def test_the_plainest_of_what_does_nearly_as_well_is_taken() -> None:
    random = np.random.default_rng(0)
    equal = 1.0 + 0.1 * random.normal(size=(3, 4000))
    assert cheapest(equal + np.array([[0.0], [0.0], [1e-5]])) == 0
    assert cheapest(equal + np.array([[0.05], [0.0], [0.0]])) == 1
    assert cheapest(equal[:, :1]) == cheapest(equal[:, :0]) == 0
    assert cheapest(np.where(np.arange(4000) % 2 == 0, np.nan, equal)) == 0
