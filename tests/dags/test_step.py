"""A step is a process of words: values are never a shell's text, and secrets stay behind."""

import json
import os
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow.sdk import DAG

HOSTILE = ("demo; touch {}", "$(touch {})", "`touch {}`", "demo\ntouch {}", "' ; touch {} '")
REFUSED = {
    "train_models": {
        "recipe": ("demo; touch F", "", None, "-x", "a b"),
        "universe": (None, "", "a;b", "x" * 200, 7),
        "session": (None, "2025-13-01", "tomorrow", 20250630),
        "first": (None, "", "2025-06-31"),
    },
    "backfill_market": {
        "source": ("nosuch", None, "simulated; ls"),
        "universe": (None, "$(id)"),
        "first": ("x",),
        "last": (None,),
        "sessions": (0, "ten", None),
    },
    "market_day": {"source": ("",), "universe": (None,), "session": ("", "today", 5)},
}
GIVEN = {"first": "2024-06-03", "last": "2025-06-27", "session": "2025-06-27"}


@pytest.fixture
def step(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs words as a step, filled in with params; returns what it answers."""
    import step

    monkeypatch.setattr(
        step, "context_to_airflow_vars", lambda *_, **__: {"AIRFLOW_CTX_DAG_ID": "d"}
    )

    def run(command: str, params: dict[str, Any], **options: Any) -> Any:
        made = step.Step(task_id="one", argv=step.words(command), **options)
        context: Any = {"params": params, "ti": SimpleNamespace(map_index=3)}
        made.render_template_fields(context)
        return made.execute(context)

    return run


@pytest.mark.parametrize("text", HOSTILE)
def test_a_value_stays_one_word_whatever_it_says(
    step: Callable[..., Any], tmp_path: Path, text: str
) -> None:
    mark = tmp_path / "made"
    value = text.format(mark)
    script = tmp_path / "tell.py"
    script.write_text("import json, sys; print(json.dumps(sys.argv[1:]))")
    told = step(f"{sys.executable} {script} --recipe {{{{ params.recipe }}}}", {"recipe": value})
    assert json.loads(told) == ["--recipe", value]
    assert not mark.exists()


def test_airflows_secrets_stay_behind_and_settings_come_along(
    step: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {"FINPULSE_DATABASE_URL": "postgresql://writer", "PATH": os.environ["PATH"]}
    secret = {
        "AIRFLOW__CORE__FERNET_KEY": "a",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "b",
        "AIRFLOW__API_AUTH__JWT_SECRET": "c",
        "AIRFLOW_CONN_BANK": "d",
        "_AIRFLOW_WWW_USER_PASSWORD": "e",
        "FINPULSE_AIRFLOW_PASSWORD": "f",
        "FINPULSE_API_KEYS": "g:0123456789abcdef",
    }
    for key, value in (kept | secret).items():
        monkeypatch.setenv(key, value)
    script = tmp_path / "tell.py"
    script.write_text("import json, os; print(json.dumps(dict(os.environ)))")
    seen = step(f"{sys.executable} {script}", {}, answer=json.loads)
    assert kept.items() <= seen.items() and not set(secret) & set(seen)
    assert (seen["AIRFLOW_CTX_DAG_ID"], seen["AIRFLOW_CTX_MAP_INDEX"]) == ("d", "3")


def test_any_exit_status_but_zero_fails_it(step: Callable[..., Any], tmp_path: Path) -> None:
    from airflow.sdk.exceptions import AirflowException

    script = tmp_path / "end.py"
    script.write_text("import sys; print('said'); sys.exit(int(sys.argv[1]))")
    assert step(f"{sys.executable} {script} 0", {}) == "said"
    with pytest.raises(AirflowException, match="exit status 3"):
        step(f"{sys.executable} {script} {{{{ params.n }}}}", {"n": 3})


@pytest.mark.parametrize("dag_id", REFUSED)
def test_a_parameter_is_what_it_says_or_refused(dags: "dict[str, DAG]", dag_id: str) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    dag = dags[dag_id]
    assert set(dag.params) == set(REFUSED[dag_id])
    sound = {name: value for name, value in GIVEN.items() if name in dag.params}

    def asked(**changed: Any) -> dict[str, Any]:
        params = deepcopy(dag.params)
        params.update(sound | changed)
        return params.validate()

    assert asked()["universe"] == "sim20"
    for name, values in REFUSED[dag_id].items():
        for value in values:
            with pytest.raises(ParamValidationError):
                asked(**{name: value})


def test_every_source_may_be_asked_for(dags: "dict[str, DAG]") -> None:
    from etl.source import SOURCES

    for dag_id in ("backfill_market", "market_day"):
        assert dags[dag_id].params.get_param("source").schema["enum"] == SOURCES.names()
