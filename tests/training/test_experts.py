"""The conformance suite: every discovered expert passes all of it."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from training.bundle import bundle
from training.bundle.bundle import Manifest
from training.evidence.walk import mean_log_loss
from training.expert import EXPERTS, Expert
from training.samples.folds import WalkForward
from training.samples.samples import Samples, TrainingError

NAMES = EXPERTS.names()
# Few rows want small batches and fast steps.
QUICK: dict[str, dict[str, Any]] = {
    "class_prior": {},
    "logistic": {"strength": 1.0},
    "lstm": {"window": 4, "batch": 32, "learning_rate": 0.02, "dropout": 0.0, "epochs": 15},
    "xgboost": {},
}


@pytest.fixture(params=NAMES)
def expert(request: pytest.FixtureRequest) -> Expert[Any]:
    few = {"epochs": 2} if request.param == "lstm" else {}
    return EXPERTS.get(request.param)(**few)


def manifest(expert: Expert[Any], samples: Samples) -> Manifest:
    return Manifest(
        expert=expert.name,
        objective=expert.objective,
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
    )


def test_the_experts_are_found() -> None:
    assert {"class_prior", "logistic", "lstm", "xgboost"} <= set(NAMES)


def test_probabilities_of_any_rows(expert: Expert[Any], samples: Samples) -> None:
    fitted = expert.fit(samples)
    odd = np.array([[np.nan] * 3, [np.inf, 0, 0], [1e30, -1e30, 0]], dtype=np.float32)
    windows = samples.windows(expert.window)
    for values in (windows, *(np.resize(row, windows[:1].shape) for row in odd), windows[:0]):
        forecasts = expert.predict(fitted, values)
        assert forecasts.probabilities.shape == (len(values), 3)
        assert forecasts.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-9)


def test_equal_samples_give_equal_files(expert: Expert[Any], samples: Samples) -> None:
    assert expert.export(expert.fit(samples)) == expert.export(expert.fit(samples))


def test_the_bundle_answers_as_the_expert_does(expert: Expert[Any], samples: Samples) -> None:
    fitted = expert.fit(samples)
    windows = samples.windows(expert.window)
    inputs = windows[bundle.golden_rows(len(samples))]
    saved = bundle.save(manifest(expert, samples), expert.export(fitted), inputs)
    loaded = bundle.load(saved.hash)
    for count in (1, 7, len(samples)):
        expected = expert.predict(fitted, windows[:count]).probabilities
        assert np.abs(loaded.forecast(windows[:count]) - expected).max() < 1e-5
    assert (expert.forecast(fitted, samples).probabilities == expected).all()


def test_what_comes_after_the_samples_teaches_nothing(
    expert: Expert[Any], samples: Samples
) -> None:
    train = samples.take(np.arange(900))
    end = train.sessions.max()
    later = samples.history.days > end
    values = np.where(later[:, None], np.float32(1e3), samples.history.values)
    other = replace(train, history=replace(samples.history, values=values))
    assert expert.export(expert.fit(other)) == expert.export(expert.fit(train))


def test_features_of_nulls_only_can_be_learnt_from(expert: Expert[Any], samples: Samples) -> None:
    nothing = np.full_like(samples.history.values, np.nan)
    empty = replace(samples, history=replace(samples.history, values=nothing))
    assert len(expert.forecast(expert.fit(empty), empty)) == len(empty)


def test_rows_that_teach_nothing_are_refused(expert: Expert[Any], samples: Samples) -> None:
    with pytest.raises(TrainingError, match="at least 100 settled rows"):
        expert.fit(samples.take(np.arange(99)))
    with pytest.raises(TrainingError, match="at least two classes"):
        expert.fit(samples.relabelled(np.zeros(len(samples), np.int64)))


def test_a_class_that_never_came_is_no_obstacle(expert: Expert[Any], samples: Samples) -> None:
    two = samples.relabelled(np.where(samples.labels == 1, 2, samples.labels))
    said = expert.forecast(expert.fit(two), two).probabilities
    assert said.shape == (len(two), 3) and said[:, 1].max() < 0.05


def test_draws_from_the_space_are_hyperparameters(expert: Expert[Any]) -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        drawn = {name: span.draw(random) for name, span in expert.space().items()}
        assert type(expert)(**drawn).hyperparameters().items() >= drawn.items()
        assert all(expert.space()[n].low <= v <= expert.space()[n].high for n, v in drawn.items())


@pytest.mark.parametrize("name", ["logistic", "lstm", "xgboost"])
def test_a_planted_effect_is_found(name: str, samples: Samples) -> None:
    learner = EXPERTS.get(name)(**QUICK[name])
    train, test = samples.take(np.arange(900)), samples.take(np.arange(900, 1200))
    majority = np.bincount(test.labels).max() / 300
    assert (
        learner.forecast(learner.fit(train), test).labels == test.labels
    ).mean() > majority + 0.05


def test_a_network_finds_what_lies_sessions_back(samples: Samples) -> None:
    # Labels from the instrument's own `mood` three rows before: only a sequence knows it.
    mood = samples.windows(4)[:, 0, 2]
    labels = np.digitize(np.nan_to_num(mood), (-0.5, 0.5)).astype(np.int64)
    known = samples.relabelled(labels)
    train, test = known.take(np.arange(900)), known.take(np.arange(900, 1200))
    hits = {}
    for name in ("logistic", "lstm"):
        learner = EXPERTS.get(name)(**QUICK[name])
        hits[name] = (learner.forecast(learner.fit(train), test).labels == test.labels).mean()
    assert hits["lstm"] > 0.7
    assert hits["logistic"] < 0.5


def test_keras_on_another_backend_is_refused() -> None:
    code = (
        "import sys, types\n"
        "backend = types.SimpleNamespace(backend=lambda: 'jax')\n"
        "sys.modules['keras'] = types.SimpleNamespace(backend=backend)\n"
        "from training.network import keras\n"
        "keras(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "expected Keras on torch, found it on jax" in done.stderr


def test_folds_side_by_side_answer_as_one_after_the_other(
    expert: Expert[Any], samples: Samples
) -> None:
    cut, said = WalkForward(count=3), list[str]()
    one, many = (mean_log_loss(expert, samples, cut, said.append, at_once) for at_once in (1, 3))
    assert one == many
    assert len(said) == 6 and said[2].endswith("(3 of 3)")
