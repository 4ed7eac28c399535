"""Random search, each trial a Ray task, and the one place where Ray starts.

Workers import this module, so it stays small.
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from contracts.expected import Expected
from contracts.settings import settings
from training.evidence.walk import Learner, Told, mean_score
from training.expert import EXPERTS
from training.objective import Objective
from training.run.scratch import scratch
from training.samples.folds import WalkForward
from training.samples.samples import Samples

if TYPE_CHECKING:
    from ray.tune import ResultGrid

_OBJECT_STORE = 200_000_000  # bytes, beside those of the samples
_CORES = 2  # of a trial
_STARTS = 3
# Hyperparameters are chosen on some of the instruments where all have more rows than this.
ROWS = 1_000_000
_SAID, _SCORE = "said", "score"  # what a trial reports on its way, and at its end


class TuningFailed(Expected, RuntimeError):
    """A trial raised; the message holds what it said."""


@dataclass(frozen=True)
class Trial:
    """One try: an expert with hyperparameters; `index` counts over the whole recipe."""

    index: int
    expert: str
    hyperparameters: Mapping[str, Any]


Finished = Callable[[Trial, float], None]


@dataclass(frozen=True)
class Task:
    """What every trial is tried on: rows, how they are cut, and the objective that scores them."""

    samples: Samples
    cut: WalkForward
    objective: Objective


def search(trials: list[Trial], task: Task, finished: Finished, told: Told) -> dict[int, float]:
    """Mean walk-forward score of each trial by index, run by Ray Tune.

    finished, told: called in this process as each trial ends, and as each fold of it does. Of more
    than ROWS rows those of some instruments are tried on. Raises TuningFailed.
    """
    tried = some(task.samples)
    if len(tried) < len(task.samples):
        told(f"{len(tried)} of {len(task.samples)} rows are tried on, of instruments evenly chosen")
        task = replace(task, samples=tried)
    with cluster(task.samples.history.values.nbytes) as folder:
        import ray
        from ray import tune

        at_once = max(1, int(ray.cluster_resources()["CPU"]) // _CORES)
        tuner = tune.Tuner(
            tune.with_parameters(_attempt, trials=trials, task=task),
            param_space={"index": tune.grid_search([t.index for t in trials])},
            tune_config=tune.TuneConfig(max_concurrent_trials=at_once, reuse_actors=True),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=folder,
                verbose=0,
                callbacks=[_reporter(trials, finished, told)],
            ),
        )
        return scores_of(tuner.fit())


def some(samples: Samples, most: int = ROWS) -> Samples:
    """The samples, or where they are more than `most`, those of as many instruments as fit.

    They are evenly spread over the names: a session's rows move together, so that fewer instruments
    tell nearly as much, while fewer sessions would not.
    """
    names = np.unique(samples.instruments)
    if len(samples) <= most or len(names) < 2:
        return samples
    kept = max(1, len(names) * most // len(samples))
    chosen = names[np.arange(kept) * len(names) // kept]
    return samples.take(np.isin(samples.instruments, chosen))


def scores_of(results: "ResultGrid") -> dict[int, float]:
    """The score of each trial by index; raises TuningFailed with what a failed trial said."""
    for failure in results.errors:
        raise TuningFailed(str(failure)) from failure
    return {r.config["index"]: r.metrics[_SCORE] for r in results}


def _attempt(config: Mapping[str, int], trials: list[Trial], task: Task) -> None:
    from ray import tune

    def told(line: str) -> None:
        tune.report({_SAID: line})

    trial = trials[config["index"]]
    learner = Learner(EXPERTS.get(trial.expert)(**trial.hyperparameters), task.objective)
    tune.report({_SCORE: mean_score(learner, task.samples, task.cut, told, _CORES)})


def _reporter(trials: list[Trial], finished: Finished, told: Told) -> object:
    from ray.tune import Callback

    class Reporter(Callback):  # type: ignore[misc]
        def on_trial_result(self, **info: Any) -> None:
            if said := info["result"].get(_SAID):
                index = info["trial"].config["index"]
                told(f"trial {index + 1} of {len(trials)}: {said}")

        def on_trial_complete(self, **info: Any) -> None:
            ended = info["trial"]
            finished(trials[ended.config["index"]], ended.last_result[_SCORE])

        # Ray writes a copy of its callbacks beside the results; ours is of use only here.
        def __reduce__(self) -> tuple[type, tuple[()]]:
            return Callback, ()

    return Reporter()


@contextmanager
def cluster(size: int) -> Iterator[str]:
    """Ray is there, of FINPULSE_RAY_ADDRESS or started here; yields a folder for its results.

    size: of what is shared, in bytes.
    """
    quiet = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_CHDIR_TO_TRIAL_DIR": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_AIR_NEW_OUTPUT": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        # A trial is the step's own work, no guest's: beside a busy machine it keeps its share.
        "RAY_worker_niceness": "0",
        # A Ray that is not to be joined by other machines listens on the loopback interface alone.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1" if settings().ray_address else "0",
    }
    for key, value in quiet.items():
        os.environ.setdefault(key, value)
    import ray

    address = settings().ray_address
    with scratch(settings().home) as folder:
        if address:
            ray.init(address=address, log_to_driver=False)
        else:
            _start(
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE + 2 * size,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _temp_dir=folder,
            )
        try:
            yield folder
        finally:
            ray.shutdown()


def _start(**options: Any) -> None:
    import ray

    for left in reversed(range(_STARTS)):
        try:
            ray.init(**options)
            return
        except Exception as error:  # Ray has no kind of its own for it.
            ray.shutdown()
            if "timed out during startup" not in str(error):
                raise
            if not left:
                said = f"Ray gives its node 30 s to start, and {_STARTS} times that was not enough"
                raise TuningFailed(f"{said}: the machine is too busy; run it again") from error
