"""A step is a process of words: values are never a shell's text, and secrets stay behind."""

import json
import os
import re
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from programs import airflow_environment
from stack import Stack, asked_settings

if TYPE_CHECKING:
    from airflow.sdk import DAG

HOSTILE = ("demo; touch {}", "$(touch {})", "`touch {}`", "demo\ntouch {}", "' ; touch {} '")
REFUSED = {
    "train_models": {
        "recipe": ("demo; touch F", "", None, "-x", "a b"),
        "universe": (None, "", "a;b", "x" * 200, 7),
        "session": ("", "2025-13-01", "tomorrow", 20250630),
        "first": ("", "2025-06-31"),
    },
    "train_targets": {
        "recipes": ("demo; touch F", "", None, "-x", "a b", ",a"),
        "universe": (None, "", "a;b"),
        "session": (None, "tomorrow"),
        "first": (None, ""),
    },
    "backfill_market": {
        "source": ("nosuch", None, "simulated; ls"),
        "universe": (None, "$(id)"),
        "first": ("x",),
        "last": (None,),
        "sessions": (0, "ten", None),
        "engine": ("", None, "dask", "spark; ls"),
    },
    "market_day": {"source": ("",), "universe": (None,), "session": ("", "today", 5)},
}
# What a run finds by itself.
LEFT_OUT = {"market_day": ("session",), "train_models": ("first", "session")}
SHARED = effort(suppress_health_check=[HealthCheck.function_scoped_fixture])
# What an argument of a process can be: no NUL.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
# Near to what is accepted: where a pattern has a hole, it is here.
NEAR = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "-", "--", " ", "$", "{{", "\n"]),
    st.sampled_from(["sim20", "demo", "simulated", "2025-06-30", "1"]),
    st.sampled_from(["", "\n", " ", ";", "\r", "\x00", "}}", "\u2028", "`id`"]),
)
NAME, DATE = r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}", r"\d{4}-\d\d-\d\d"
FORMS = {
    "universe": NAME,
    "recipe": NAME,
    "recipes": r"[A-Za-z0-9][A-Za-z0-9_.:,-]*",
    "source": r"[a-z]+",
    "sessions": r"[1-9]\d*",
    "engine": "process|spark",
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


@effort(SHARED, max_examples=40)
@given(value=TEXT | NEAR.map(lambda text: text.replace("\0", "")))
def test_any_text_is_one_argument_or_none(
    step: Callable[..., Any], tmp_path: Path, value: str
) -> None:
    script = tmp_path / "tell.py"
    script.write_text("import json, sys; print(json.dumps(sys.argv[1:]))")
    told = step(f"{sys.executable} {script} --a {{{{ params.a }}}} --b", {"a": value})
    assert json.loads(told) == ["--a", value, "--b"]


@SHARED
@given(value=TEXT | NEAR, number=st.integers() | st.none() | st.booleans() | st.floats())
@pytest.mark.parametrize("dag_id", REFUSED)
def test_any_parameter_is_refused_or_of_the_form_that_its_verb_expects(
    dags: "dict[str, DAG]", dag_id: str, value: str, number: Any
) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    dag = dags[dag_id]
    sound = {name: value for name, value in GIVEN.items() if name in dag.params}
    for name in dag.params:
        for tried in (value, number):
            params = deepcopy(dag.params)
            try:
                params.update(sound | {name: tried})
                taken = params.validate()[name]
            except ParamValidationError:
                continue
            absent = taken is None and name in LEFT_OUT.get(dag_id, ())
            told = str(int(taken) if name == "sessions" else taken)
            assert absent or re.fullmatch(FORMS.get(name, DATE), told), (name, tried)


@SHARED
@given(names=st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,20}", fullmatch=True), TEXT))
def test_what_a_verb_gets_is_all_but_what_is_airflows(
    step: Callable[..., Any], names: dict[str, str]
) -> None:
    import step as module

    hidden = {f"{prefix}X": "secret" for prefix in module.KEPT_BACK}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", names | hidden)
        made = module.Step(task_id="one", argv=[])
        seen = made.environment({"ti": SimpleNamespace(map_index=3)})
    added = {"AIRFLOW_CTX_DAG_ID", "AIRFLOW_CTX_MAP_INDEX"}
    ours = {k: v for k, v in names.items() if not k.startswith(module.KEPT_BACK)}
    assert {k: v for k, v in seen.items() if k not in added} == ours


def test_a_task_of_the_stack_gets_one_password_the_writers(
    step: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import step as module

    monkeypatch.setattr("java.system_home", lambda _: Path("/usr"))
    stack = Stack.of(asked_settings())
    monkeypatch.setattr(os, "environ", airflow_environment(stack))
    seen = module.Step(task_id="one", argv=[]).environment({"ti": SimpleNamespace(map_index=3)})
    secrets = vars(stack.credentials)
    held = {name for name, secret in secrets.items() if secret in " ".join(seen.values())}
    assert held == {"writer"} and secrets["writer"] in seen["FINPULSE_DATABASE_URL"]


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
