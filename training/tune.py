"""Hyperparameters by random search, each trial a Ray task: the one place where Ray starts."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from contracts import objects
from contracts.settings import settings
from contracts.store import Store
from training import records
from training.evidence import mean_log_loss
from training.expert import EXPERTS
from training.folds import WalkForward
from training.recipes import Recipe
from training.samples import Samples
from training.scope import Scope
from training.tracking import step

# Two cores are the smallest machine; more trials at once would only wait for each other there.
_AT_ONCE = 2
_OBJECT_STORE = 200_000_000


class TuningFailed(RuntimeError):
    """A trial raised; the message holds what it said."""


@dataclass(frozen=True)
class Trial:
    """One try: an expert with hyperparameters; `index` counts over the whole recipe."""

    index: int
    expert: str
    hyperparameters: Mapping[str, Any]


Finished = Callable[[Trial, float], None]


def tune(
    store: Store, scope: Scope, trials: int, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Tune all experts of the recipe and keep the best; a kept tuning is used again.

    Returns what is kept: best (expert -> hyperparameters), log_loss (expert -> nats), run (URL).
    Each trial is a child run keyed by its index. Raises TuningFailed, TrainingError.
    """
    key = records.tuning_key(scope)
    if objects.exists(key):
        progress(f"{key} is kept already and used again")
        return records.read(key)
    planned = plan(scope.recipe, trials)
    samples = scope.training(store)
    with step(store, scope, "tune") as run:

        def finished(trial: Trial, log_loss: float) -> None:
            progress(f"trial {trial.index + 1} of {len(planned)}: log loss {log_loss:.5f}")
            with run.child(f"trial {trial.index}") as child:
                named = {"expert": trial.expert, "trial": trial.index}
                child.log({**trial.hyperparameters, **named}, {"log_loss": log_loss})

        losses = search(planned, samples, scope.recipe.cut, finished)
        chosen = best(planned, losses)
        found = {
            "best": {name: trial.hyperparameters for name, trial in chosen.items()},
            "log_loss": {name: losses[trial.index] for name, trial in chosen.items()},
            "run": run.url,
        }
        run.log({"trials": len(planned)}, {"log_loss": min(losses.values())})
        run.attach("tuning.json", found)
    records.write(key, found)
    return found


def plan(recipe: Recipe, trials: int) -> list[Trial]:
    """The trials of a recipe: for each expert its defaults, then seeded draws from its space."""
    planned: list[Trial] = []
    for name in recipe.experts:
        member = EXPERTS.get(name)
        random = np.random.default_rng(recipe.seed)
        space = member.space()
        for number in range(trials if space else 1):
            drawn = {k: span.draw(random) for k, span in space.items()} if number else {}
            chosen = member(**drawn).hyperparameters()
            planned.append(Trial(len(planned), name, chosen))
    return planned


def search(
    trials: list[Trial], samples: Samples, cut: WalkForward, finished: Finished
) -> dict[int, float]:
    """Mean walk-forward log loss of each trial by index, run by Ray Tune.

    finished: called in this process as each trial ends. Raises TuningFailed.
    """
    with _ray() as scratch:
        from ray import tune

        tuner = tune.Tuner(
            tune.with_parameters(_attempt, trials=trials, samples=samples, cut=cut),
            param_space={"index": tune.grid_search([t.index for t in trials])},
            tune_config=tune.TuneConfig(max_concurrent_trials=_AT_ONCE, reuse_actors=True),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=scratch,
                verbose=0,
                callbacks=[_reporter(trials, finished)],
            ),
        )
        results = tuner.fit()
        for failure in results.errors:
            raise TuningFailed(str(failure)) from failure
        return {r.config["index"]: r.metrics["log_loss"] for r in results}


def best(trials: list[Trial], losses: Mapping[int, float]) -> dict[str, Trial]:
    """For each expert the trial of the smallest log loss, the earliest one among equals."""
    chosen: dict[str, Trial] = {}
    for trial in sorted(trials, key=lambda t: (losses[t.index], t.index)):
        chosen.setdefault(trial.expert, trial)
    return chosen


def _attempt(
    config: Mapping[str, int], trials: list[Trial], samples: Samples, cut: WalkForward
) -> None:
    from ray import tune

    trial = trials[config["index"]]
    expert = EXPERTS.get(trial.expert)(**trial.hyperparameters)
    tune.report({"log_loss": mean_log_loss(expert, samples, cut)})


def _reporter(trials: list[Trial], finished: Finished) -> object:
    from ray.tune import Callback

    class Reporter(Callback):  # type: ignore[misc]
        def on_trial_complete(self, **info: Any) -> None:
            ended = info["trial"]
            finished(trials[ended.config["index"]], ended.last_result["log_loss"])

    return Reporter()


@contextmanager
def _ray() -> Iterator[str]:
    quiet = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_CHDIR_TO_TRIAL_DIR": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    }
    for key, value in quiet.items():
        os.environ.setdefault(key, value)
    import ray

    address = settings().ray_address
    # Ray keeps sockets in its folder, and a socket's path ends at 107 characters.
    with TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True) as scratch:
        if address:
            ray.init(address=address, log_to_driver=False)
        else:
            ray.init(
                num_cpus=_AT_ONCE,
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _temp_dir=scratch,
            )
        try:
            yield scratch
        finally:
            ray.shutdown()
