"""A step in a cluster: a pod of its own, whose lines, last word and exit status are the step's."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))

from cluster import Cluster, cluster

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"labels": {"app.kubernetes.io/part-of": "finpulse"}},
    "spec": {"containers": [{"name": "step", "env": [{"name": "KEPT", "value": "of the chart"}]}]},
}


@pytest.fixture
def pods(airflow_home: Path) -> Any:
    """The module that the step looks at: Airflow reads its plugins anew."""
    import step as plugin

    return plugin.pods


@pytest.fixture
def place(pods: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster, and this process as a pod in it that may make others."""
    account, file = tmp_path / "account", tmp_path / "pod.json"
    account.mkdir()
    (account / "token").write_text("a token\n")
    (account / "namespace").write_text("finpulse")
    file.write_text(json.dumps(POD))
    monkeypatch.setenv(pods.FILE, str(file))
    monkeypatch.setattr(pods, "PAUSE", 0.05)
    monkeypatch.setattr(pods.Pods.__init__, "__defaults__", (account,))
    with cluster() as made:
        where = urlsplit(made.url)
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", str(where.hostname))
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(where.port))
        yield made
        for process in made.processes.values():
            process.end()


@pytest.fixture
def step(place: Cluster, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Makes a step of words; `said` has the lines that reached its log."""
    import step as plugin

    told = {"AIRFLOW_CTX_DAG_ID": "market_day", "AIRFLOW_CTX_TASK_ID": "collect"}
    monkeypatch.setattr(plugin, "context_to_airflow_vars", lambda *_, **__: dict(told))

    def made(*argv: str, place: int = -1, **options: Any) -> Any:
        one = plugin.Step(task_id="collect", argv=argv, **options)
        context: Any = {"ti": SimpleNamespace(map_index=place)}
        return SimpleNamespace(run=lambda: one.execute(context), step=one)

    return made


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_lines_are_heard_and_the_last_is_the_answer(
    place: Cluster, step: Callable[..., Any]
) -> None:
    code = "import os; print('first'); print(os.environ['KEPT'], os.environ['AIRFLOW_CTX_DAG_ID'])"
    assert step(*python(code)).run() == "of the chart market_day"
    assert step(*python("print('[1, 2]')"), answer=json.loads).run() == [1, 2]
    assert not place.objects, "a pod that has ended is deleted"
    made = [name for method, kind, name in place.history if method == "POST"]
    assert len(made) == 2 and all(name.startswith("market-day-collect-") for name in made)


@pytest.mark.parametrize("text", ["demo; touch {}", "$(touch {})", "' ; touch {} '", "a b\nc"])
def test_a_value_stays_one_word(step: Callable[..., Any], tmp_path: Path, text: str) -> None:
    word = text.format(tmp_path / "touched")
    code = "import sys, json; print(json.dumps(sys.argv[1:]))"
    assert step(*python(code), word, answer=json.loads).run() == [word]
    assert not (tmp_path / "touched").exists()


def test_an_exit_status_fails_it_and_two_for_good(step: Callable[..., Any]) -> None:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    with pytest.raises(AirflowException, match="exit status 3") as raised:
        step(*python("import sys; sys.exit(3)")).run()
    assert not isinstance(raised.value, AirflowFailException)
    with pytest.raises(AirflowFailException, match="exit status 2"):
        step(*python("import sys; sys.exit(2)")).run()


def test_a_try_goes_on_with_the_pod_that_is_at_work(
    place: Cluster, pods: Any, step: Callable[..., Any], tmp_path: Path
) -> None:
    flag = tmp_path / "go"
    code = f"import os, time\nwhile not os.path.exists({str(flag)!r}): time.sleep(.05)\nprint(7)"
    # What a scheduler that was killed has left behind.
    key = "market_day-collect--4"
    orphan = pods.described(POD, key, python(code), {})
    pods.Pods(print)._ask("POST", "", json=orphan)
    threading.Timer(1, flag.touch).start()
    assert step(*python("print('a second one')"), place=4).run() == "7"
    made = [name for method, _, name in place.history if method == "POST"]
    assert made == [orphan["metadata"]["name"]]


def test_one_that_ended_before_is_made_anew(
    place: Cluster, pods: Any, step: Callable[..., Any]
) -> None:
    orphan = pods.described(POD, "market_day-collect--4", python("print('old')"), {})
    asked = pods.Pods(print)
    asked._ask("POST", "", json=orphan)
    place.processes[orphan["metadata"]["name"]]._process.wait(30)
    assert step(*python("print('new')"), place=4).run() == "new"


def test_parts_of_a_mapped_step_have_pods_of_their_own(
    place: Cluster, step: Callable[..., Any]
) -> None:
    for part in (0, 1):
        step(*python("print(1)"), place=part).run()
    assert len({name for method, _, name in place.history if method == "POST"}) == 2


def test_a_pod_that_is_taken_away_fails_the_try(place: Cluster, step: Callable[..., Any]) -> None:
    from airflow.sdk.exceptions import AirflowException

    def evict() -> None:
        [key] = [key for key in place.objects if key[0] == "pods"]
        del place.objects[key]

    threading.Timer(1, evict).start()
    with pytest.raises(AirflowException, match="was deleted"):
        step(*python("import time; time.sleep(60)")).run()


def test_a_task_that_is_ended_takes_its_pod_along(place: Cluster, step: Callable[..., Any]) -> None:
    made = step(*python("import time; time.sleep(60)"))
    threading.Timer(1, made.step.on_kill).start()
    with pytest.raises(Exception, match="was deleted"):
        made.run()
    assert not place.objects
    [process] = place.processes.values()
    assert process._process.poll() is not None


def test_the_charts_pod_runs_a_step_without_rights(place: Cluster, airflow_home: Path) -> None:
    import helm_python as helm
    import pods
    import yaml

    with helm.Chart.load(Path(__file__).resolve().parents[2] / "helm" / "platform") as chart:
        texts = chart.render({}, name="finpulse-platform", namespace="finpulse")
    files = [text for name, text in texts.items() if name.endswith(".yaml")]
    objects = [made for text in files for made in yaml.safe_load_all(text) if made]
    [file] = [o["data"]["pod.json"] for o in objects if "pod.json" in o.get("data", {})]
    made = pods.described(json.loads(file), "d-t", ("python", "-m", "etl"), {"A": "b"})
    [container] = made["spec"]["containers"]
    assert container["command"] == ["python", "-m", "etl"]
    assert {"name": "A", "value": "b"} in container["env"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert made["spec"]["automountServiceAccountToken"] is False
    assert "AIRFLOW" not in json.dumps(made), "nothing of Airflow's reaches a step"
