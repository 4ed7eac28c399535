"""The main job, from nothing to served predictions: services, DAG runs, what came out.

`--next` goes one session further than the last demo did; `--universe` is about another declared
universe, beside what the stack serves already.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import outcome
import stages
from airflow_client import Airflow
from patience import Patience
from plainly import plainly
from processes import PeakMemory
from programs import PYTHON, outside, task_environment
from stack import ROOT, Stack, StackError, asked_settings, write_private
from supervise import Supervisor
from turns import turn
from up import Start

from contracts.settings import Settings
from contracts.time.calendar import shift
from contracts.universe import UNIVERSES, Universe, universe
from training.recipe import RECIPES, waves

say = partial(print, flush=True)

# What decides the result of a run: with other values it is another run.
DECISIVE = (
    *("source", "data", "universe", "calendar", "symbols"),
    *("sim_instruments", "sim_sessions", "sim_end", "sim_seed", "sim_noise"),
    *(
        "text_model",
        "text_labels",
        "text_checkpoint",
        "contest_sessions",
        "replay_sessions",
        "trials",
    ),
)

# The last layer alone, on our own sentences: a reader of texts within a minute.
READER = {
    **{"learn": "sentences", "stop": "posts", "held": "headlines"},
    **{"trials": 1, "epochs": 1.0, "frozen": 5},
}


@dataclass(frozen=True)
class Span:
    """What the demo works on: history `first` to `before`, of which all before `fresh` is known
    to be loaded, and `last`, the newest session."""

    first: date
    fresh: date
    before: date
    last: date


def demo_recipes() -> tuple[str, ...]:
    """What is trained: `demo`, and each recipe whose name begins with `demo_`."""
    return tuple(name for name in RECIPES.names() if name.split("_")[0] == "demo")


def chosen(asked: Settings, name: str) -> tuple[Universe, str]:
    """The universe of that name, or else the settings' own, and the source that tells of it.

    Raises StackError for one that nobody declared, or whose facts this stack's database refuses.
    """
    if name in ("", asked.universe):
        return universe("", asked), asked.source
    if name not in UNIVERSES.names():
        raise StackError(
            f"no universe is named {name!r}: expected {asked.universe}, which the settings "
            f"describe, or a declared one ({', '.join(UNIVERSES.names())}); declare it in "
            f"contracts/universes/{name}.py, see docs/universes.md"
        )
    about = UNIVERSES.get(name)
    told = about.sources["bars"]
    source = asked.source if asked.source in told else told[0]
    if (source == "simulated") != (asked.source == "simulated"):
        raise StackError(
            f"{name} is told of by {' and '.join(told)}, this stack's facts are of "
            f"{asked.source}: simulated and real ones never meet, set SOURCE={source} too"
        )
    return about, source


@dataclass
class Demo:
    """One demo: what it runs, and how long each stage took.

    named: the universe that it is about; default: the settings' own.
    """

    stack: Stack
    onwards: bool = False
    named: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    tasks: dict[str, dict[str, float]] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.universe, self.source = chosen(self.stack.asked, self.named)
        self.patience = Patience(Supervisor(self.stack.home), say)

    def verb(self, *arguments: str) -> str:
        """Run a verb as a person would, and return what it prints; raises StackError."""
        environment = {**outside(), **task_environment(self.stack)}
        done = subprocess.run(
            [PYTHON, "-m", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise StackError(f"`python -m {' '.join(arguments)}` failed:\n{done.stderr[-3000:]}")
        return done.stdout

    def extent(self, *options: str) -> tuple[date, date]:
        """The first and the last session that the source delivers; see `etl extent`."""
        place = ("--source", self.source, "--universe", self.universe.name)
        words = self.verb("etl", "extent", *place, *options)
        first, last = words.strip().splitlines()[-1].split()
        return date.fromisoformat(first), date.fromisoformat(last)

    def span(self) -> Span:
        """Up to the session that was shown last, or the one after it when the demo goes on."""
        calendar = self.universe.calendar
        first, end = self.extent()
        shown = outcome.newest(self.stack, self.universe.name)
        last = wanted = max(shown or end, end)
        if self.onwards and shown == wanted:
            wanted = shift(calendar, wanted, 1)
        if wanted > end:
            _, last = self.extent("--through", str(wanted))
        if self.onwards and last < wanted:
            say(f"\nthe source {self.source} ends with {last}: there is no later session yet")
        before = shift(calendar, last, -1)
        return Span(first, before if last > end else first, before, last)

    def runs(self, span: Span) -> list[dict[str, dict[str, Any]]]:
        """The parameters of runs by their DAG, those that go side by side together: who reads
        texts (once, for all universes), history, trainings at its end, the last session.

        One recipe is trained task by task, the others in one process; parts before who hears them.
        """
        name = self.universe.name
        place = {"universe": name}
        facts = place | {"source": self.source}
        day = "market_day" if name == self.stack.asked.universe else f"market_day_{name}"
        at = place | {"first": str(span.first), "session": str(span.before)}
        together, *after = waves(demo_recipes())
        alone, *others = together
        trained = [{"train_models": at | {"recipe": alone}}]
        if others:
            trained[0]["train_targets"] = at | {"recipes": ",".join(others)}
        trained += [{"train_targets": at | {"recipes": ",".join(wave)}} for wave in after]
        history = facts | {"first": str(span.fresh), "last": str(span.before)}
        return [
            *([{"finetune_sentiment": READER}] if name == self.stack.asked.universe else []),
            {"backfill_market": history},
            *trained,
            {day: facts | {"session": str(span.last)}},
        ]

    def run_dags(self, span: Span) -> None:
        """Run the DAGs one after the other; the same parameters are the same run."""
        about, airflow = self.universe, Airflow(self.stack.settings, say, self.patience)
        asked = self.stack.asked.model_copy(update={"universe": about.name})
        decisive = [str(getattr(asked, name)) for name in DECISIVE]
        if about.name in UNIVERSES.names():
            decisive += [about.calendar, *about.symbols]

        def named(conf: dict[str, Any]) -> str:
            words = "\n".join([*decisive, str(span.first), *map(str, conf.values())])
            digest = hashlib.sha256(words.encode()).hexdigest()[:8]
            return f"demo-{about.name}-{conf.get('session', span.before)}-{digest}"

        for together in self.runs(span):
            say(f"\n{' and '.join(together)}")
            began = datetime.now(UTC)
            runs = {dag: (named(conf), conf) for dag, conf in together.items()}
            found = airflow.run_all(runs)
            for dag, tasks in found.items():
                key = f"{dag} {together[dag].get('recipes', '')}".strip()
                self.tasks[key] = {task.name: round(task.seconds, 1) for task in tasks}
            whole = [task for tasks in found.values() for task in tasks]
            for name, seconds in stages.shares(next(iter(found)), began, whole).items():
                self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def run(self) -> None:
        """Everything, in order."""
        say("\nservices")
        self.seconds["services"] = Start(self.stack, say).run()
        span = self.span()
        before = self._count()
        self.run_dags(span)
        self.added = self._count() - before
        shown = outcome.predictions(self.stack, self.universe.name, span.last, self.patience)
        say("\n" + shown)
        say(self.verb("training", "report", "--target", "sentiment"))
        say(self.verb("training", "report", "--universe", self.universe.name))
        say(f"added by this demo: {self.added.rows} rows, {self.added.versions} model versions\n")

    def _count(self) -> outcome.Count:
        return self.patience.ask("mlflow", lambda: outcome.count(self.stack, self.universe.name))

    def close(self, memory: PeakMemory) -> None:
        """Print and keep the stages' seconds and the peak of memory."""
        total = time.monotonic() - self.began
        say(outcome.addresses(self.stack) + "\n")
        say(outcome.printed(stages.table(self.seconds, total, memory.bytes)))
        kept = {"stages": self.seconds, "seconds": total, "tasks": self.tasks}
        kept |= {"peak_bytes": memory.bytes}
        kept |= {"rows_added": self.added.rows, "versions_added": self.added.versions}
        write_private(self.stack.home / "demo.json", json.dumps(kept, indent=2))


def main() -> int:
    """Run the demo; returns the exit status."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--next", action="store_true", help="go on to the next session")
    options.add_argument("--universe", default="", help="a declared universe")
    given = options.parse_args()
    asked = asked_settings()
    chosen(asked, given.universe)
    with turn(asked.home, "demo", say):
        demo = Demo(Stack.of(asked), given.next, given.universe)
        about = f"{demo.source} market, universe {demo.universe.name} ({demo.universe.calendar})"
        say(f"FinPulse demo: {about}, in {asked.home}")
        supervisor = demo.patience.supervisor

        def roots() -> list[int]:
            process = supervisor.process
            return [os.getpid(), *([process.pid] if process else [])]

        with PeakMemory(roots).watching() as memory:
            demo.run()
        demo.close(memory)
    return 0


if __name__ == "__main__":
    goes_on = (
        "services and run go on; `make demo` picks them up where they are, `make down` stops them"
    )
    sys.exit(plainly(main, goes_on))
