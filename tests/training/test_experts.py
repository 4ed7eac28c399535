"""The conformance suite: every discovered expert passes all of it, with each head it bears."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from made_models import MADE

from training.bundle import bundle
from training.bundle.manifest import Manifest
from training.bundle.model import MODELS, Model, read
from training.evidence.score import tally
from training.evidence.walk import Learner, mean_score
from training.expert import EXPERTS, Expert
from training.objective import OBJECTIVES, Objective
from training.samples.folds import WalkForward
from training.samples.samples import Samples, TrainingError, from_matrix

PAIRS = [
    (member.name, objective.name)
    for member in EXPERTS
    for objective in OBJECTIVES
    if isinstance(objective.head, member.heads)
]
TREND = OBJECTIVES.get("trend")
# Few rows want small batches and fast steps.
QUICK: dict[str, dict[str, Any]] = {
    "logistic": {"strength": 1.0},
    "lstm": {"window": 4, "batch": 32, "learning_rate": 0.02, "dropout": 0.0, "epochs": 15},
    "transformer": {"window": 4, "batch": 32, "learning_rate": 0.01, "dropout": 0.0, "epochs": 15},
    "bilstm": {
        **{"window": 4, "first": 8, "second": 4, "attention": 2, "dense": 8},
        **{"batch": 32, "learning_rate": 0.01, "dropout": 0.0, "epochs": 6},
    },
}
NETWORKS = ("lstm", "transformer", "bilstm")
# What any rows show as well.
FEW: dict[str, dict[str, Any]] = {
    "lstm": {"epochs": 1},
    "transformer": {"epochs": 1},
    "bilstm": QUICK["bilstm"] | {"batch": 512, "epochs": 2},
    **{name: {"rounds": 20} for name in ("barrier_trees", "quantile_trees", "xgboost")},
}
# What has nothing to learn from features.
BLIND = {"class_prior", "historical_simulation", "hold", "mean_22", "unconditional"}


# What costs most is asked of these alone, and of all others by `make test-slow`.
QUICKEST = (("logistic", "trend"), ("lstm", "trend"), ("xgboost", "volatility"))


def slow_but(quick: Callable[[tuple[str, str]], bool]) -> list[Any]:
    return [
        pytest.param(pair, marks=() if quick(pair) else pytest.mark.slow, id="-".join(pair))
        for pair in PAIRS
    ]


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def expert(pair: tuple[str, str]) -> Expert[Any]:
    return EXPERTS.get(pair[0])(**FEW.get(pair[0], {}))


@pytest.fixture
def objective(pair: tuple[str, str]) -> Objective:
    return OBJECTIVES.get(pair[1])


@pytest.fixture(scope="module")
def rows(rows_for: Callable[[Objective], Samples]) -> Callable[[str], Samples]:
    """Objective -> samples, made once: no test changes them."""
    return cache(lambda name: rows_for(OBJECTIVES.get(name)))


@pytest.fixture(scope="module")
def fits(rows: Callable[[str], Samples]) -> Callable[[str, str], Model]:
    """What an expert learns of all samples of an objective, once for all who ask it."""

    @cache
    def fitted(name: str, of: str) -> Model:
        found: Model = EXPERTS.get(name)(**FEW.get(name, {})).fit(rows(of), OBJECTIVES.get(of).head)
        return found

    return fitted


@pytest.fixture
def samples(pair: tuple[str, str], rows: Callable[[str], Samples]) -> Samples:
    return rows(pair[1])


@pytest.fixture
def fitted(pair: tuple[str, str], fits: Callable[[str, str], Model]) -> Model:
    return fits(*pair)


@pytest.fixture
def learn(expert: Expert[Any], objective: Objective) -> Callable[[Samples], Model]:
    return lambda samples: expert.fit(samples, objective.head)


Learn = Callable[[Samples], Model]


def manifest(expert: Expert[Any], objective: Objective, samples: Samples) -> Manifest:
    return Manifest(
        expert=expert.name,
        objective=objective.name,
        hyperparameters=expert.hyperparameters(),
        view="made_up",
        view_hash="0" * 64,
        features=samples.features,
        label="made_up",
        horizon=1,
        universe="sim",
        calendar="XNYS",
        as_of=datetime(2025, 6, 30, 20, tzinfo=UTC),
        snapshot=3,
        git_commit="unknown",
        libraries={},
        files={},
        window=expert.window,
        target="made_up",
        head=objective.head,
    )


def test_the_experts_are_found() -> None:
    names = ("class_prior", "logistic", "lstm", "transformer", "xgboost")
    assert {(name, "trend") for name in names} <= set(PAIRS)
    names = ("garch", "har", "har_xgboost", "mean_22", "xgboost")
    assert {(name, "volatility") for name in names} <= set(PAIRS)
    names = ("filtered_simulation", "historical_simulation", "tail_xgboost")
    assert {(name, "risk") for name in names} <= set(PAIRS)
    assert {("gate", "signal"), ("hold", "signal")} <= set(PAIRS)
    names = ("bilstm", "quantile_trees", "unconditional", "xgboost")
    assert {(name, "return") for name in names} <= set(PAIRS)
    names = ("barrier", "barrier_trees", "class_prior", "logistic", "lstm", "xgboost")
    assert {(name, "levels") for name in names} <= set(PAIRS)
    assert ("barrier", "trend") not in PAIRS


def test_no_kind_of_model_is_left_out(fits: Callable[[str, str], Model]) -> None:
    left = set(MODELS.names())
    for make in MADE:
        left -= make(TREND.head).files().keys()
    for name, asked in PAIRS:
        if not left:
            break
        written = fits(name, asked).files()
        left -= {file.rpartition("/")[2] for file in written}  # those of members lie in folders
    assert not left, "no expert writes them: make one of each in tests/fixtures/made_models.py"


def test_any_rows_have_answers(
    expert: Expert[Any], objective: Objective, fitted: Model, samples: Samples
) -> None:
    width = len(samples.features)
    odd = np.zeros((3, width))
    odd[0], odd[1, 0], odd[2, :2] = np.nan, np.inf, (1e30, -1e30)
    windows = samples.windows(expert.window)
    strange = (np.resize(row.astype(np.float32), windows[:1].shape) for row in odd)
    for values in (windows, *strange, windows[:0]):
        found = fitted.forecast(values)
        assert found.shape == (len(values), objective.head.width)
        objective.head.require(found)


def test_equal_samples_give_equal_files(learn: Learn, fitted: Model, samples: Samples) -> None:
    assert learn(samples).files() == fitted.files()


def test_the_bundle_answers_as_the_expert_does(
    expert: Expert[Any], objective: Objective, fitted: Model, samples: Samples
) -> None:
    windows = samples.windows(expert.window)
    inputs = windows[bundle.golden_rows(len(samples))]
    saved = bundle.save(manifest(expert, objective, samples), fitted.files(), inputs)
    loaded = bundle.load(saved.hash)
    assert loaded.manifest.head == objective.head
    for count in (1, 7, len(samples)):
        expected = fitted.forecast(windows[:count])
        unit = objective.head.unit(expected)
        assert np.abs(loaded.forecast(windows[:count]) - expected).max() < 1e-5 * unit
    assert (expert.forecast(fitted, samples) == expected).all()


def test_who_explains_says_what_adds_up_to_the_answer(
    expert: Expert[Any], objective: Objective, fitted: Model, samples: Samples
) -> None:
    model = read(fitted.files(), objective.head)
    windows = samples.windows(expert.window)[:50]
    for values in (windows, windows[:0]):
        why = model.explain(values, np.zeros(windows.shape[1:], dtype=np.float32))
        assert (why is None) == (not model.method)
        if why is not None:
            assert why.shape == (len(values), objective.head.width, len(samples.features) + 1)
            adds = why.sum(axis=2)
            found = adds if model.scale == "answers" else objective.head.from_scores(adds)
            assert np.abs(found - model.forecast(values)).max(initial=0) < 1e-4


def test_what_comes_after_the_samples_teaches_nothing(learn: Learn, samples: Samples) -> None:
    train = samples.take(np.arange(900))
    end = train.sessions.max()
    later = samples.history.days > end
    values = np.where(later[:, None], np.float32(1e3), samples.history.values)
    other = replace(train, history=replace(samples.history, values=values))
    assert learn(other).files() == learn(train).files()


def test_features_of_nulls_only_can_be_learnt_from(
    expert: Expert[Any], learn: Learn, samples: Samples
) -> None:
    nothing = np.full_like(samples.history.values, np.nan)
    empty = replace(samples, history=replace(samples.history, values=nothing))
    assert len(expert.forecast(learn(empty), empty)) == len(empty)


def test_rows_that_teach_nothing_are_refused(learn: Learn, samples: Samples) -> None:
    with pytest.raises(TrainingError, match="at least 100 settled rows"):
        learn(samples.take(np.arange(99)))
    with pytest.raises(TrainingError, match="at least two truths"):
        learn(samples.with_truth(np.zeros_like(samples.truth)))


def test_draws_from_the_space_are_hyperparameters(expert: Expert[Any]) -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        drawn = {name: span.draw(random) for name, span in expert.space().items()}
        assert type(expert)(**drawn).hyperparameters().items() >= drawn.items()
        assert all(expert.space()[n].low <= v <= expert.space()[n].high for n, v in drawn.items())


@pytest.mark.parametrize(
    "pair", slow_but(lambda pair: pair[0] not in NETWORKS or pair in QUICKEST), indirect=True
)
def test_a_planted_effect_is_found(pair: tuple[str, str], samples: Samples) -> None:
    name, objective = pair[0], OBJECTIVES.get(pair[1])
    if name in BLIND:
        return
    learner = Learner(EXPERTS.get(name)(**QUICK.get(name, {})), objective)
    train, test = samples.take(np.arange(900)), samples.take(np.arange(900, 1200))
    mixed = train.with_truth(np.random.default_rng(0).permutation(train.truth))
    own, null = (
        tally(learner.answer(rows, test), test.truth, test.sessions).scores()[objective.learned][0]
        for rows in (train, mixed)
    )
    assert own < null - 0.02, f"{name} learns nothing; if it is not to learn, add it to BLIND"


def trained(name: str, samples: Samples) -> tuple[Any, Model]:
    expert = EXPERTS.get(name)(**QUICK.get(name, {}))
    return expert, expert.fit(samples, TREND.head)


def test_a_class_that_never_came_is_no_obstacle(matrix: Callable[..., pa.Table]) -> None:
    samples = from_matrix(matrix())
    two = samples.with_truth(np.where(samples.truth == 1, 2, samples.truth))
    for name, objective in PAIRS:
        if objective == TREND.name:
            expert, fitted = trained(name, two)
            said = expert.forecast(fitted, two)
            assert said.shape == (len(two), 3) and said[:, 1].max() < 0.05


@pytest.mark.parametrize("pair", slow_but(lambda pair: pair in QUICKEST), indirect=True)
def test_folds_side_by_side_answer_as_one_after_the_other(
    expert: Expert[Any], objective: Objective, samples: Samples
) -> None:
    cut, said = WalkForward(count=3), list[str]()
    learner = Learner(expert, objective)
    one, many = (mean_score(learner, samples, cut, said.append, at_once) for at_once in (1, 3))
    assert one == many
    assert len(said) == 6 and said[2].endswith("(3 of 3)")
