"""A step of a DAG: one verb in a process of its own, and parameters that are what they say."""

import os
import pkgutil
import re
import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pods
from airflow.providers.common.compat.sdk import context_to_airflow_vars
from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import DAG, BaseOperator, Context, Param
from airflow.sdk.exceptions import AirflowException, AirflowFailException

# Verbs run in the repository, where their commands can be pasted.
ROOT = Path(__file__).resolve().parents[3]
# Airflow's own configuration, connections and logins, and the keys of the predictor's callers.
KEPT_BACK = ("AIRFLOW", "_AIRFLOW", "__AIRFLOW", "FINPULSE_AIRFLOW_", "FINPULSE_API_KEYS")
# A service away for a minute ends no run: tried again after half a minute and after one more.
EVERY_STEP: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=5),
}
_USAGE = 2  # the exit status of a verb that was asked for what cannot be
# What a universe, a recipe or an expert may be called; for Python `$` alone is also before a last
# line break.
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}(?!\n)$"
NAMES = r"^[A-Za-z0-9][A-Za-z0-9_.:,-]{0,999}(?!\n)$"
_WORD = re.compile(r"(?:\{\{.*?\}\}|[^\s{])+")


def words(command: str) -> list[str]:
    """The words of a command, split before its templates are filled: a value stays one word."""
    return _WORD.findall(command)


class Step(BaseOperator):
    """Runs the words of `argv` without a shell and without Airflow's secrets: in a process, or in a
    pod where the scheduler stands in a cluster (pods.py).

    answer: what becomes of the last line printed, which is the step's result. part: what the step
    is expanded over; templates find theirs by `ti.map_index`. Any exit status but 0 fails the step;
    2, which says that the command is wrong, for good.
    """

    template_fields: Sequence[str] = ("argv",)
    ui_color = "#f0ede4"

    def __init__(
        self,
        *,
        argv: Sequence[str],
        answer: Callable[[str], Any] = str,
        part: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.argv = argv
        self.answer = answer
        self.part = part
        self._pod = ""

    @cached_property
    def _process(self) -> SubprocessHook:
        return SubprocessHook()

    def environment(self, context: Context) -> dict[str, str]:
        """What the verb gets: the scheduler's environment less its secrets, and who it runs for."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(KEPT_BACK)}
        return {
            **kept,
            **context_to_airflow_vars(context, in_env_var_format=True),
            "AIRFLOW_CTX_MAP_INDEX": str(context["ti"].map_index),
        }

    def execute(self, context: Context) -> Any:
        """Called by Airflow."""
        argv = [str(word) for word in self.argv]
        if pod := pods.template():
            code, last = self._in_pod(pod, argv, context)
        else:
            self.log.info("in %s: %s", ROOT, shlex.join(argv))
            done = self._process.run_command(argv, self.environment(context), cwd=str(ROOT))
            code, last = done.exit_code, done.output
        if code:
            failed = AirflowFailException if code == _USAGE else AirflowException
            raise failed(f"{shlex.join(argv)} ended with exit status {code}")
        return self.answer(last)

    def _in_pod(self, pod: dict[str, Any], argv: list[str], context: Context) -> tuple[int, str]:
        told = context_to_airflow_vars(context, in_env_var_format=True)
        told["AIRFLOW_CTX_MAP_INDEX"] = str(context["ti"].map_index)
        which = ("DAG_ID", "TASK_ID", "DAG_RUN_ID", "MAP_INDEX")
        key = "-".join(told.get(f"AIRFLOW_CTX_{each}", "") for each in which)
        made = pods.described(pod, key, argv, told)
        self._pod = made["metadata"]["name"]
        self.log.info("in the pod %s: %s", self._pod, shlex.join(argv))
        try:
            return pods.Pods(self.log.info).run(made)
        except pods.PodLost as error:
            raise AirflowException(str(error)) from error

    def on_kill(self) -> None:
        """Called by Airflow when the task is to end."""
        if self._pod:
            pods.Pods(self.log.info).delete(self._pod)
            return
        with suppress(ProcessLookupError):  # It has ended by itself.
            self._process.send_sigterm()


def steps(commands: dict[str, str]) -> list[Step]:
    """One step for each command, by name."""
    return [Step(task_id=name, argv=words(command)) for name, command in commands.items()]


def pipeline(name: str, hours: int, runs: int = 1, **options: Any) -> DAG:
    """A DAG of so many runs at once, whose steps outlive a service's absence and last `hours`."""
    limit = {"execution_timeout": timedelta(hours=hours)}
    given = EVERY_STEP | limit | options.pop("default_args", {})
    return DAG(name, default_args=given, catchup=False, max_active_runs=runs, **options)


# Words that commands of several DAGs share.
SNAPSHOT = "python -m contracts snapshot --run {{ dag.dag_id }}/{{ run_id }}"
FACTS = "--source {{ params.source }} --universe {{ params.universe }}"
PINNED = "--snapshot {{ ti.xcom_pull(task_ids='snapshot') }}"
SEEN = f"--universe {{{{ params.universe }}}} {PINNED}"


def told(step: str, *names: str, **others: str) -> str:
    """Options with what a step's answer, a mapping, says by these names; others: option=name."""
    said = {name: name for name in names} | others
    answer = f"ti.xcom_pull(task_ids='{step}')"
    options = (f"--{option.replace('_', '-')} {{{{ {answer}.{n} }}}}" for option, n in said.items())
    return " ".join(options)


def source(default: str = "") -> Param:
    """One of the members of etl/sources; default: the settings'."""
    # Looked for, not imported: a DAG file is read again and again.
    found = find_spec("etl.sources")
    places = (found.submodule_search_locations or []) if found else []
    names = sorted(module.name for module in pkgutil.iter_modules(places))
    chosen = default or os.environ.get("FINPULSE_SOURCE", "simulated")
    return Param(chosen, type="string", enum=names, description="a member of etl/sources")


def universe(default: str = "") -> Param:
    """A universe's name; default: the settings'."""
    chosen = default or os.environ.get("FINPULSE_UNIVERSE", "sim20")
    return Param(chosen, type="string", pattern=NAME, description="whose facts or models")


def session(meaning: str) -> Param:
    """A session that must be given."""
    return Param(type="string", format="date", description=meaning)


def choice(meaning: str) -> Param:
    """A session that may be given."""
    return Param(None, type=["null", "string"], format="date", description=meaning)
