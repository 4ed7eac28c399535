"""The main job, from nothing to served predictions: services, three DAG runs, what came out."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial

import httpx
import outcome
import ports
import postgres
from airflow_client import Airflow
from processes import PeakMemory
from programs import PYTHON, outside, task_environment
from stack import ROOT, Stack, StackError, asked_settings, write_private
from supervise import Supervisor
from up import Start

from contracts.calendar import NotASession, shift

say = partial(print, flush=True)

# What decides the result of a run: with other values it is another run.
DECISIVE = (
    *("source", "data", "universe", "calendar", "symbols"),
    *("sim_instruments", "sim_sessions", "sim_end", "sim_seed", "sim_noise"),
    *("text_model", "contest_sessions", "replay_sessions", "trials"),
)


@dataclass
class Demo:
    """One demo: what it runs, and how long each stage took."""

    stack: Stack
    stages: dict[str, float] = field(default_factory=dict)
    tasks: dict[str, dict[str, float]] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Announce a stage and take its time."""
        say(f"\n{name}")
        began = time.monotonic()
        yield
        self.stages[name] = time.monotonic() - began
        say(f"  {'in all':<32} {self.stages[name]:5.1f} s")

    def verb(self, *arguments: str) -> str:
        """Run a verb as a person would, and return what it prints; raises StackError."""
        environment = {**outside(), **task_environment(self.stack)}
        done = subprocess.run(
            [PYTHON, "-m", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise StackError(f"`python -m {' '.join(arguments)}` failed:\n{done.stderr[-3000:]}")
        return done.stdout

    def extent(self) -> tuple[date, date]:
        """The first and the last session that the source delivers."""
        asked = self.stack.asked
        words = self.verb("etl", "extent", "--source", asked.source)
        first, last = words.strip().splitlines()[-1].split()
        return date.fromisoformat(first), date.fromisoformat(last)

    def run_dags(self, first: date, last: date) -> None:
        """History up to the session before the last, a training there, then the last session."""
        asked = self.stack.asked
        before = str(shift(asked.calendar, last, -1))
        decisive = [str(getattr(asked, name)) for name in DECISIVE] + [str(first), str(last)]
        digest = hashlib.sha256("\n".join(decisive).encode()).hexdigest()[:8]
        place = {"universe": asked.universe}
        facts = place | {"source": asked.source}
        runs: dict[str, dict[str, str]] = {
            "backfill_market": facts | {"first": str(first), "last": before},
            "train_models": place | {"first": str(first), "session": before},
            "market_day": facts | {"session": str(last)},
        }
        airflow = Airflow(self.stack.settings, say)
        for dag, conf in runs.items():
            with self.stage(dag):
                run = f"demo-{asked.universe}-{conf.get('session', before)}-{digest}"
                tasks = airflow.run(dag, run, conf)
                self.tasks[dag] = {task.name: round(task.seconds, 1) for task in tasks}

    def run(self) -> None:
        """Everything, in order."""
        with self.stage("services"):
            Start(self.stack, say).run()
        first, last = self.extent()
        before = outcome.count(self.stack)
        self.run_dags(first, last)
        added = outcome.count(self.stack) - before
        say("\n" + outcome.predictions(self.stack, last))
        say(self.verb("training", "report", "--universe", self.stack.asked.universe))
        say(f"added by this demo: {added.rows} rows, {added.versions} model versions\n")
        self.added = added

    def close(self, memory: PeakMemory) -> None:
        """Print and keep the stages' seconds and the peak of memory."""
        say(outcome.addresses(self.stack))
        total = sum(self.stages.values())
        each = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.stages.items())
        say(f"\n{total:.0f} s in all ({each}); peak memory {memory.bytes / 2**30:.1f} GiB")
        kept = {"stages": self.stages, "tasks": self.tasks, "peak_bytes": memory.bytes}
        kept |= {"rows_added": self.added.rows, "versions_added": self.added.versions}
        write_private(self.stack.home / "demo.json", json.dumps(kept, indent=2))


def main() -> int:
    """Run the demo; returns the exit status."""
    try:
        demo = Demo(Stack.of(asked_settings()))
        say(f"FinPulse demo: {demo.stack.asked.source} market in {demo.stack.home}")
        supervisor = Supervisor(demo.stack.home)

        def roots() -> list[int]:
            process = supervisor.process
            return [os.getpid(), *([process.pid] if process else [])]

        with PeakMemory(roots).watching() as memory:
            demo.run()
        demo.close(memory)
    except (StackError, postgres.PostgresError, ports.PortTaken, NotASession, ValueError) as error:
        say(f"\nerror: {error}", file=sys.stderr)
        return 1
    except httpx.HTTPError as error:
        say(f"\nerror: a service stopped answering ({error}): see its log", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
