"""Trials and workers of a tiny encoder in Ray, and a process that is killed for good."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_encoder import tiny_encoder

from contracts import objects
from contracts.settings import settings
from contracts.store import Store
from training.finetune import fitting, trying
from training.finetune.life import Life
from training.finetune.workers import Spread, Strategy, learn_spread
from training.reading.course import SPACE, Course
from training.reading.device import Device
from training.reading.learning import Progress, learn, probe, said
from training.reading.reader import base, build
from training.reading.state import Vault, best
from training.run.mlflow_api import Mlflow

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1500)]

COURSE = Course(epochs=4, rate=0.01, dropout=0.0)


@pytest.fixture
def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracking: Mlflow) -> Life:
    place = tiny_encoder(tmp_path / "tiny")
    monkeypatch.setenv("FINPULSE_TEXT_CHECKPOINT", str(place))
    settings.cache_clear()
    return Life(("sentences",), "posts", ("headlines",), str(place), COURSE, trials=4)


def runs(server: Mlflow, life: Life) -> list[dict[str, Any]]:
    found = server.call("GET", "mlflow/experiments/get-by-name", experiment_name="finpulse-texts")
    ids = [found["experiment"]["experiment_id"]]
    listed = server.call("POST", "mlflow/runs/search", experiment_ids=ids, max_results=1000)
    told = {"key": "checkpoint", "value": life.checkpoint}
    return [run for run in listed.get("runs", []) if told in run["data"].get("params", [])]


def named(run: dict[str, Any]) -> str:
    return str(run["info"]["run_name"])


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_workers_come_to_the_loss_of_one(life: Life, strategy: Strategy) -> None:
    known = base(life.checkpoint)
    # All checks count: the run ends by itself before its last ones.
    course = replace(life.course, frozen=1, averaged=1.0)
    task = fitting.task_of(life, known, course)
    alone = build(known, task.course)
    probe(alone, task, Device())
    one = learn(alone, task, Device(), Vault("one"), lambda _: None)
    heard: list[Progress] = []
    two = learn_spread(known, task, Vault("two"), Spread(Device(), 2, strategy), heard.append)
    assert two.losses == pytest.approx(one.losses, abs=1e-3)
    assert two.checks == pytest.approx(one.checks, abs=0.02) and heard == [two]
    assert two.averaged == one.averaged > 1
    texts = task.held.texts
    by_one = said(alone, task.tokenizer, texts, Device())
    went_on = learn_spread(known, task, Vault("two"), Spread(Device(), 2, strategy), heard.append)
    assert went_on == two, "each worker takes the state on in the same order"
    best(alone, Vault("two"))
    by_two = said(alone, task.tokenizer, texts, Device())
    assert np.abs(by_two - by_one).max() < 0.05 * np.abs(by_one).max()


def test_trials_are_children_of_one_run_and_none_is_tried_twice(
    store: Store, life: Life, tracking: Mlflow
) -> None:
    told: list[str] = []

    def until_the_second(line: str) -> None:
        told.append(line)
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(BaseException, match=r".*"):
        trying.tune(store, life, Device(), until_the_second)
    before = [i for i in range(4) if objects.exists(life.key(f"trials/{i}.json"))]
    assert before, "what had ended is kept"
    found = trying.tune(store, life, Device(), told.append)
    assert set(found["best"]) == set(SPACE) and len(found["scores"]) == 4
    assert found["scores"][found["trial"]] == max(found["scores"])
    known = runs(tracking, life)
    names = [named(run) for run in known]
    assert sorted(n for n in names if n.startswith("trial")) == [f"trial {i}" for i in range(4)]
    assert names.count("tune") == 1
    [parent] = [run["info"]["run_id"] for run in known if named(run) == "tune"]
    for run in known:
        if named(run).startswith("trial"):
            tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
            assert tags["mlflow.parentRunId"] == parent
    assert trying.tune(store, life, Device(), told.append) == found
    assert fitting.chosen(life) == replace(life.course, **found["best"])


def test_a_process_that_is_killed_goes_on_where_its_last_check_was(
    store: Store, life: Life, tracking: Mlflow
) -> None:
    asked = replace(life, trials=1, course=Course(epochs=60.0, rate=0.002))
    command = [sys.executable, "-m", "training", "finetune", "fit"]
    command += ["--epochs", "60", "--rate", "0.002"]
    environment = dict(os.environ)
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: objects.exists(asked.key("state.safetensors")), process)
        os.kill(process.pid, signal.SIGKILL)
    assert not objects.exists(asked.key("fit.json")), "it was not done"
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    left = asked.require("fit")
    assert done.stdout.split()[-1] == left["version"]
    known = base(asked.checkpoint)
    task = fitting.task_of(asked, known, asked.course)
    whole = build(known, task.course)
    probe(whole, task, Device())
    assert learn(whole, task, Device(), Vault(), lambda _: None).losses == left["losses"]
    assert [named(run) for run in runs(tracking, asked)].count("fit") == 1
    assert {run["info"]["status"] for run in runs(tracking, asked)} == {"FINISHED"}


def wait_until(there: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 300
    while not there():
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < deadline, "it has checked nothing yet"
        time.sleep(0.02)
