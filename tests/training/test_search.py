"""Trials on a real Ray."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import numpy as np
import psutil
import pyarrow as pa
import pytest
from descendants import names
from processes import MARK, marked

from contracts.settings import settings
from contracts.store import Store
from training.evidence.walk import Learner, mean_score
from training.experts.trees import Trees
from training.objectives.trend import Trend
from training.run.mlflow_api import Mlflow
from training.run.scope import Scope
from training.run.scratch import scratch_root, sweep
from training.samples.folds import WalkForward
from training.samples.samples import Samples, from_matrix
from training.steps import search, tune
from training.steps.search import Task, Trial, TuningFailed

CUT = WalkForward(count=2)


def children() -> list[str]:
    return [p.name() for p in psutil.Process().children(recursive=True) if "ray" in p.name()]


@pytest.mark.integration
def test_ray_finds_what_this_process_would_and_leaves_nothing(samples: Samples) -> None:
    trials = [Trial(i, "xgboost", {"max_depth": 2 + i, "rounds": 20}) for i in range(2)]
    seen: list[tuple[int, float]] = []
    said: list[str] = []
    task = Task(samples, CUT, Trend())
    found = search.search(trials, task, lambda t, x: seen.append((t.index, x)), said.append)
    tried = [Trees(**t.hyperparameters) for t in trials]  # type: ignore[arg-type]
    expected = dict(enumerate(mean_score(Learner(e, Trend()), samples, CUT) for e in tried))
    assert found == pytest.approx(expected, abs=1e-9)
    assert dict(seen) == found
    for trial in (1, 2):
        told = sorted(line for line in said if line.startswith(f"trial {trial} of 2: "))
        assert [line.split("fold ")[1][0] for line in told] == ["1", "2"]
    assert children() == []


@pytest.mark.parametrize("most", [1, 199, 400, 799, 800, 1199])
def test_many_rows_are_tried_on_whole_instruments_evenly_chosen(
    matrix: Callable[..., pa.Table], most: int
) -> None:
    samples = from_matrix(matrix(sessions=204, instruments=12))
    tried = search.some(samples, most * len(samples) // 1200)
    held, kept = np.unique(samples.instruments), np.unique(tried.instruments)
    assert len(kept) == max(1, most // 100)
    for name in kept:
        mine = (tried.instruments == name).sum()
        assert mine == (samples.instruments == name).sum()
    gaps = np.diff(np.flatnonzero(np.isin(held, kept)))
    assert not len(gaps) or gaps.max() - gaps.min() <= 1
    again = search.some(samples, most * len(samples) // 1200)
    assert tried.truth.tolist() == again.truth.tolist()


def test_rows_that_are_not_too_many_are_all_tried_on(samples: Samples) -> None:
    assert search.some(samples, len(samples)) is samples
    alone = samples.take(samples.instruments == samples.instruments[0])
    assert search.some(alone, 10) is alone


# A search whose only trial takes hours.
ENDLESS = """
import sys
sys.path.insert(0, sys.argv[1])
from conftest import make_matrix
from training.samples.folds import WalkForward
from training.samples.samples import from_matrix
from training.objectives.trend import Trend
from training.steps.search import Task, Trial, search
trial = Trial(0, "xgboost", {"rounds": 10**7, "patience": 10**7})
task = Task(from_matrix(make_matrix()), WalkForward(count=2), Trend())
search([trial], task, print, print)
"""


@pytest.mark.integration
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_search_that_is_ended_leaves_no_process(end: signal.Signals) -> None:
    mark = uuid4().hex
    environment = {**os.environ, MARK: mark}
    folder = str(Path(__file__).parent)
    driver = subprocess.Popen([sys.executable, "-c", ENDLESS, folder], env=environment)
    deadline = time.monotonic() + 120
    while not any(name.startswith("ray::") for name in names(mark)):
        assert driver.poll() is None and time.monotonic() < deadline, "no trial was started"
        time.sleep(0.5)
    assert len(names(mark)) > 3
    assert listeners(mark) <= {"127.0.0.1", "::1"}
    driver.send_signal(end)
    driver.wait(60)
    while left := names(mark):
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.5)
    sweep(settings().home)  # As `make down` and the next search do.
    assert list(scratch_root(settings().home).glob("*")) == []


def listeners(mark: str) -> set[str]:
    """The addresses on which the marked processes listen."""
    found = set()
    for process in marked(Path(mark)):
        with suppress(psutil.Error):
            found |= {c.laddr.ip for c in process.net_connections() if c.status == "LISTEN"}
    assert found
    return {address.removeprefix("::ffff:") for address in found}


def test_a_failed_trial_fails_the_tuning_with_what_it_said() -> None:
    results = SimpleNamespace(errors=[RuntimeError("no such field")])
    with pytest.raises(TuningFailed, match="no such field"):
        search.scores_of(results)


@pytest.mark.integration
def test_a_tuning_is_kept_and_used_again(
    store: Store, tracking: Mlflow, market: Callable[..., Scope], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def here(
        trials: list[Trial],
        _: Task,
        finished: Callable[..., Any],
        told: Callable[[str], None],
    ) -> dict[int, float]:
        losses = {t.index: 1.0 - t.index / 10 for t in trials}
        for trial in trials:
            finished(trial, losses[trial.index])
        calls.append(len(trials))
        return losses

    monkeypatch.setattr(tune, "search", here)
    scope, said = market(), list[str]()
    first = tune.tune(store, scope, 3, said.append)
    assert tune.tune(store, scope, 3, said.append) == first
    assert calls == [3] and "used again" in said[-1]
    assert first["best"]["xgboost"] == tune.plan(scope.recipe, 3)[2].hyperparameters
    assert fitted_with(scope) == first["best"]["xgboost"]


def fitted_with(scope: Scope) -> dict[str, Any]:
    from training.steps.fit import expert_of

    return expert_of(scope, "xgboost").hyperparameters()


@pytest.mark.parametrize("late", [0, 2, 3])
def test_a_node_that_a_busy_machine_starts_late_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, late: int
) -> None:
    asked: list[str] = []

    def init(**options: Any) -> None:
        asked.append("init")
        if asked.count("init") <= late:
            raise Exception("The current node timed out during startup. This could happen")

    ray = SimpleNamespace(init=init, shutdown=lambda: asked.append("shutdown"))
    monkeypatch.setitem(sys.modules, "ray", ray)
    if late < search._STARTS:
        with search.cluster(1):
            pass
    else:
        with pytest.raises(TuningFailed, match="too busy"), search.cluster(1):
            pass
    assert asked == ["init", "shutdown"] * min(late + 1, search._STARTS)


def test_another_failure_of_ray_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**options: Any) -> None:
        raise ConnectionError("no such address")

    ray = SimpleNamespace(init=init, shutdown=lambda: None)
    monkeypatch.setitem(sys.modules, "ray", ray)
    with pytest.raises(ConnectionError), search.cluster(1):
        pass
