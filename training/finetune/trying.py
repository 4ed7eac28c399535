"""The step `tune`: courses drawn from a space, each a trial of Ray Tune, bad ones ended early."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from contracts import objects
from contracts.store import Store
from training.finetune.fitting import task_of
from training.finetune.life import Life, Told
from training.reading.course import SPACE, Course
from training.reading.device import Device
from training.reading.learning import Progress, Task, learn, probe
from training.reading.reader import Base, base, build
from training.reading.state import Vault
from training.reading.tokens import opened
from training.run import records
from training.run.tracking import Run, step
from training.run.trials import PLANNED
from training.steps.search import TuningFailed, cluster

_SCORE, _CHECK = "macro_f1", "training_iteration"
Ended = Callable[[int, float], None]


def courses(life: Life) -> list[Course]:
    """The life's own course, then seeded draws of each hyperparameter of the space."""
    random = np.random.default_rng(life.course.seed)
    found = [life.course]
    while len(found) < life.trials:
        drawn = {name: values[int(random.integers(len(values)))] for name, values in SPACE.items()}
        found.append(replace(life.course, **drawn))
    return found


def tune(store: Store, life: Life, here: Device, told: Told) -> dict[str, Any]:
    """Try the life's courses and leave the best by macro-F1 on the source that stops them.

    Each trial is a child run of one; those that ended before a run was killed are not tried again.
    Raises TuningFailed.
    """
    if life.trials < 2:
        told("nothing is searched: trials is 1")
        return {"best": {}}
    if kept := life.found("tune"):
        told("the tuning is kept already and used again")
        return kept
    planned, known = courses(life), base(life.checkpoint)
    with step(store, life, "tune") as run:
        run.log({PLANNED: len(planned)})
        scores = _ended(life, len(planned))

        def ended(index: int, score: float) -> None:
            told(f"trial {index + 1} of {len(planned)}: macro-F1 {score:.4f}")
            _tell(run, index, planned[index], score)
            records.write(_key(life, index), {"score": score})
            scores[index] = score

        left = [index for index in range(len(planned)) if index not in scores]
        if left:
            task = task_of(life, known, life.course)
            _search(_Trials(planned, known, task, here), left, ended)
        chosen = min(scores, key=lambda index: (-scores[index], index))
        best = {name: getattr(planned[chosen], name) for name in SPACE}
        found = {"best": best, "trial": chosen, "scores": [scores[i] for i in sorted(scores)]}
        run.log({"trials": len(planned)}, {_SCORE: scores[chosen]})
        run.attach("tuning.json", found)
        life.leave("tune", found)
    return found


def _ended(life: Life, count: int) -> dict[int, float]:
    keys = {index: _key(life, index) for index in range(count)}
    return {i: float(records.read(key)["score"]) for i, key in keys.items() if objects.exists(key)}


def _key(life: Life, index: int) -> str:
    return life.key(f"trials/{index}.json")


def _tell(run: Run, index: int, course: Course, score: float) -> None:
    with run.child(f"trial {index}") as child:
        child.log({"trial": index, **course.values()}, {_SCORE: score})


class _Trials:
    """What all trials share."""

    def __init__(self, planned: list[Course], known: Base, task: Task, here: Device) -> None:
        self.planned, self.known, self.here = planned, known, here
        self.learnt, self.held = task.learnt, task.held


def _search(trials: _Trials, left: list[int], ended: Ended) -> None:
    with cluster(0) as folder:
        import ray
        from ray import tune
        from ray.tune.schedulers import ASHAScheduler

        gpu = trials.here.name == "cuda"
        attempt = tune.with_parameters(_attempt, trials=trials)
        tuner = tune.Tuner(
            tune.with_resources(attempt, {"cpu": 1, "gpu": 1 if gpu else 0}),
            param_space={"index": tune.grid_search(left)},
            tune_config=tune.TuneConfig(
                metric=_SCORE,
                mode="max",
                max_concurrent_trials=max(1, int(ray.cluster_resources()["CPU"])),
                scheduler=ASHAScheduler(grace_period=2, reduction_factor=2, max_t=100),
            ),
            run_config=tune.RunConfig(
                name="tune", storage_path=folder, verbose=0, callbacks=[_reporter(ended)]
            ),
        )
        for failure in tuner.fit().errors:
            raise TuningFailed(str(failure)) from failure


def _attempt(config: Mapping[str, int], trials: _Trials) -> None:
    from ray import tune

    course = trials.planned[config["index"]]
    task = Task(trials.learnt, trials.held, opened(trials.known.tokenizer, course.length), course)

    def told(done: Progress) -> None:
        tune.report({_SCORE: done.best})

    network = build(trials.known, course).to(trials.here.name)
    probe(network, task, trials.here)
    learn(network, task, trials.here, Vault(), told)


def _reporter(ended: Ended) -> object:
    from ray.tune import Callback

    class Reporter(Callback):  # type: ignore[misc]
        def on_trial_complete(self, **info: Any) -> None:
            trial = info["trial"]
            ended(trial.config["index"], trial.last_result[_SCORE])

        # Ray writes a copy of its callbacks beside the results; ours is of use only here.
        def __reduce__(self) -> tuple[type, tuple[()]]:
            return Callback, ()

    return Reporter()
