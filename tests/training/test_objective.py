"""The conformance suite: every discovered objective passes all of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pytest
from answers import answers, best, truths
from hypothesis import given
from hypothesis import strategies as st

from features.target import TARGETS
from training.ensemble import ENSEMBLES
from training.evidence.decision import Parties, Rules, compare, decide
from training.evidence.evidence import Evidence, Value, require_plausible
from training.evidence.plots import reliability
from training.evidence.score import tally
from training.expert import EXPERTS
from training.forecast import Floats, ForecastError, Values
from training.objective import ABSTAIN, BUY, HOLD, OBJECTIVES, SELL, Forecasts, Objective, Truth

NAMES = OBJECTIVES.names()


@pytest.fixture(params=NAMES)
def objective(request: pytest.FixtureRequest) -> Objective:
    return OBJECTIVES.get(request.param)


@dataclass(frozen=True)
class Rows:
    """Rows whose every feature, and all that lies beside, is `told`."""

    truth: Truth
    told: Floats
    features: tuple[str, ...] = ("trend.p_down", "trend.p_neutral", "trend.p_up")

    class Told(dict[str, Floats]):
        def __init__(self, told: Floats) -> None:
            self.told = told

        def __missing__(self, _: str) -> Floats:
            return self.told

    @property
    def beside(self) -> "Rows.Told":
        return Rows.Told(self.told)

    @property
    def instruments(self) -> np.ndarray:
        return np.where(np.arange(len(self)) % 3, "SIM000", "SIM001")

    def column(self, _: str) -> Values:
        return self.told.astype(np.float32)

    def __len__(self) -> int:
        return len(self.truth)


def rows(objective: Objective, n: int, seed: int) -> Rows:
    """Rows that are told what might have come as well; of some nothing is known."""
    told = truths(objective.head, n, seed + 1).astype(float)
    unknown = np.random.default_rng(seed).random(n) < 0.1
    return Rows(truths(objective.head, n, seed), np.where(unknown, np.nan, told))


def made(objective: Objective, n: int = 300, seed: int = 0) -> tuple[Forecasts, Truth]:
    said = Forecasts(objective, answers(objective.head, n, seed))
    return said, truths(objective.head, n, seed + 7)


def days(n: int, sessions: int = 60) -> np.ndarray:
    return np.sort(np.arange(n) % sessions).astype("datetime64[D]")


def test_the_objectives_are_found() -> None:
    assert {"levels", "return", "risk", "signal", "trend", "volatility"} <= set(NAMES)


def test_its_words_agree(objective: Objective) -> None:
    assert len(objective.columns) == len(set(objective.columns)) == objective.head.width
    names = [loss.name for loss in objective.judged]
    assert len(names) == len(set(names)) >= 1 and set(names) <= set(objective.metrics)
    assert objective.judged[0].proper, "the loss that decides must be proper"
    assert {objective.learned, *objective.coarse} <= set(objective.metrics)
    assert isinstance(objective.head, EXPERTS.get(objective.zero).heads)
    assert any(target.label.kind in objective.kinds for target in TARGETS)
    assert any(isinstance(objective.head, member.heads) for member in ENSEMBLES)


def test_answers_of_another_form_are_refused(objective: Objective) -> None:
    said = answers(objective.head, 4)
    for wrong in (said[:, :-1], np.hstack([said, said]), said[0], said * np.nan):
        with pytest.raises(ForecastError):
            Forecasts(objective, wrong)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 10**6), atoms=st.integers(2, 9))
def test_who_says_what_is_so_has_the_smallest_expected_loss(
    name: str, seed: int, atoms: int
) -> None:
    objective = OBJECTIVES.get(name)
    truth = truths(objective.head, atoms, seed)
    weights = np.random.default_rng(seed).dirichlet(np.ones(atoms))
    own = best(objective.head, truth, weights)
    for loss in objective.judged:
        # When the truth is sure, none is smaller than who says so.
        sure = best(objective.head, truth[:1], np.ones(1))
        for i in range(40):
            other = answers(objective.head, 1, seed + i)
            # Half of them lie nearby, where a loss that is none would be caught.
            other = other if i % 2 else objective.head.from_scores(0.1 * (other - other.mean()))
            if loss.proper:
                assert expected(objective, loss.of, own, truth, weights) <= (
                    expected(objective, loss.of, other, truth, weights) + 1e-9
                ), loss.name
            lowest = expected(objective, loss.of, sure, truth[:1], np.ones(1))
            assert lowest <= expected(objective, loss.of, other, truth[:1], np.ones(1)) + 1e-9


def expected(
    objective: Objective, loss: Any, answer: Floats, truth: Truth, weights: Floats
) -> float:
    found = loss(Forecasts(objective, np.repeat(answer, len(truth), axis=0)), truth)
    counts = np.isfinite(found)
    return float(weights[counts] @ found[counts])


def test_scores_are_means_of_losses_and_follow_from_sums(objective: Objective) -> None:
    said, truth = made(objective)
    scores = tally(said, truth, days(300)).scores()
    assert tuple(scores) == objective.metrics
    for name, losses in objective.losses(said, truth).items():
        assert scores[name][0] == pytest.approx(losses[np.isfinite(losses)].mean())
    # However the rows are spread over sessions, and whichever session is left out.
    other = tally(said, truth, days(300, 7))
    rest = days(300, 7) != other.sessions[3]
    part = Forecasts(objective, said.values[rest])
    alone = tally(part, truth[rest], days(300, 7)[rest]).scores()
    for metric in objective.metrics:
        assert other.scores()[metric] == pytest.approx(scores[metric])
        assert other.left_out()[metric][3] == pytest.approx(alone[metric][0])


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 40))
def test_baselines_answer_for_any_rows(name: str, seed: int, n: int) -> None:
    objective = OBJECTIVES.get(name)
    train, test = rows(objective, 200, seed), rows(objective, n, seed + 3)
    assert objective.zero in objective.baselines
    for baseline in objective.baselines.values():
        said = baseline(train, test)
        assert len(said) == n and said.point.shape == (n,)
        again = baseline(train, Rows(test.truth[::-1], test.told))
        assert (again.values == said.values).all(), "it looks at the truth of what it is asked"


def test_baselines_lose_to_no_recalibration_of_noise(objective: Objective) -> None:
    train, test = rows(objective, 4000, 1), rows(objective, 4000, 5)
    for name, baseline in objective.baselines.items():
        said, answer = baseline(train, train), baseline(train, test)
        better = objective.recalibrated(said, train.truth, answer)
        for loss in objective.judged:
            gain = loss.of(answer, test.truth) - loss.of(better, test.truth)
            gain = gain[np.isfinite(gain)]
            error = gain.std() / np.sqrt(len(gain))
            assert gain.mean() < loss.margin + 4 * error, (name, loss.name)


def test_pictures_are_true_of_who_knows(objective: Objective) -> None:
    said, truth = made(objective)
    for given_, came in objective.calibration(said, truth).values():
        assert given_.shape == came.shape == (300,) and np.isfinite(given_).all()
    assert reliability({"one": said, "other": said}, truth).startswith(b"\x89PNG")


def test_signals_are_words(objective: Objective) -> None:
    said, _ = made(objective)
    signals = objective.signals(said, objective.thresholds)
    assert signals is None or (len(signals) == 300 and set(signals) <= {BUY, SELL, HOLD, ABSTAIN})


def test_evidence_and_decisions_survive_json(objective: Objective) -> None:
    said, truth = made(objective, 3000)
    other, _ = made(objective, 3000, seed=3)
    found = compare(said, other, truth, days(3000))
    decision = decide(Parties("sim", "trend_1", "a", "b", 3), found, Rules())
    text = orjson.dumps(decision.as_json())
    assert type(decision).parse(orjson.loads(text)) == decision
    assert (decision.loss, set(decision.others)) == (
        objective.judged[0].name,
        {loss.name for loss in objective.judged[1:]},
    )
    scored = tally(said, truth, days(3000)).scores()
    scores = {"one": {m: Value(float(v[0]), 0.0, 1.0) for m, v in scored.items()}}
    named = {"expert": "one", "first": "a", "last": "b", "objective": objective.name}
    evidence = Evidence(**named, n=3000, sessions=60, folds=4, scores=scores, beside={}, null={})
    assert Evidence.parse(orjson.loads(orjson.dumps(evidence.as_json()))) == evidence
    require_plausible(evidence, "")  # what was drawn at random is not too good
