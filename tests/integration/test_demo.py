"""The main job on real services, as the README promises it. The tests build on one another."""

import os
import re
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ports
import postgres
import pytest
import stages
from airflow_client import Airflow, RunFailed
from demo import demo_recipes
from live_stack import ROOT, Demo, eventually, panel_queries, prometheus, run, web
from outcome import ask, count
from processes import marked
from prometheus_client.parser import text_string_to_metric_families
from stack import Stack, asked_settings
from supervise import Supervisor

from contracts.champion import ALIAS, Office, champion, model_name
from contracts.settings import settings
from training.recipe import recipe, waves

pytestmark = [pytest.mark.integration, pytest.mark.spark, pytest.mark.timeout(1800)]

UNIVERSE, LAST, NEXT = "sim20", "2025-06-30", "2025-07-01"
OFFICE = Office(UNIVERSE, "trend_1")

MARKET = {
    "FINPULSE_SIM_INSTRUMENTS": "6",
    "FINPULSE_SIM_SESSIONS": "260",
    "FINPULSE_CONTEST_SESSIONS": "60",
    "FINPULSE_TRIALS": "2",
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo, once per module, in a folder too deep for unix sockets; nothing stays behind."""
    home = tmp_path_factory.mktemp("stack") / ("deep" * 20) / ("deeper" * 10)
    free = {f"FINPULSE_{name.upper()}": str(postgres.free_port()) for name in ports.NAMES}
    ours = MARKET | free | {"FINPULSE_HOME": str(home)}
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("FINPULSE_", "AIRFLOW"))}
    environment = outside | ours
    done = run("demo", environment)
    try:
        assert done.returncode == 0, done.stdout
        with pytest.MonkeyPatch.context() as patch:
            for key, value in ours.items():
                patch.setenv(key, value)
            settings.cache_clear()
            stack = Stack.of(asked_settings())
        settings.cache_clear()
        yield Demo(environment, stack, done.stdout)
    finally:
        stopped = run("down", environment)
    assert stopped.returncode == 0, stopped.stdout
    assert marked(home) == []


def mlflow(demo: Demo, path: str, **body: Any) -> dict[str, Any]:
    url = f"{demo.stack.settings.mlflow}/api/2.0/mlflow/{path}"
    answer = web.post(url, json=body) if body else web.get(url)
    answer.raise_for_status()
    return dict(answer.json())


def test_it_shows_what_it_did(demo: Demo) -> None:
    for dag in (
        "finetune_sentiment",
        "backfill_market",
        "train_models and train_targets",
        "market_day",
    ):
        assert re.search(rf"^{dag}$", demo.output, re.M)
    assert re.search(r"contest for \*/sentiment: (promoted|kept)", demo.output)
    assert "SIM001" in demo.output and "p_neutral" in demo.output
    assert demo.stack.credentials.airflow in demo.output and demo.stack.api_key in demo.output
    assert web.get(f"{demo.stack.predictor}/assets").json()["code"] == "key_missing"
    [page] = re.findall(r"Data docs +file://(\S+)", demo.output)
    assert "expectations" in Path(page).read_text()


def test_it_says_what_each_stage_took(demo: Demo) -> None:
    rows = re.findall(r"^│ ([a-z, ]+?) +│ +(\d+\.\d) │ +(\d+) │$", demo.output, re.M)
    measured = {name: float(seconds) for name, seconds, _ in rows}
    assert [(name, int(budget)) for name, _, budget in rows[:-1]] == list(stages.BUDGETS.items())
    whole = measured.pop("in all")
    assert sum(measured.values()) == pytest.approx(whole, abs=0.5)
    assert all(measured[name] > 0 for name in stages.BUDGETS)
    assert re.search(r"peak memory, GB \(sum of PSS\) +│ +\d+\.\d │ +8 │", demo.output)


def test_all_runs_succeeded(demo: Demo) -> None:
    airflow, notes = Airflow(demo.stack.settings, print), {}
    for dag in ("backfill_market", "train_models", "train_targets", "market_day"):
        runs = airflow.ask("GET", f"dags/{dag}/dagRuns").json()["dag_runs"]
        assert len(runs) == (len(waves(demo_recipes())) if dag == "train_targets" else 1)
        for one in runs:
            assert one["state"] == "success"
            assert {t.state for t in airflow.tasks(dag, one["dag_run_id"])} == {"success"}
            assert re.match(r"snapshot: [1-9]", one["note"]), one["note"]
        notes[dag] = " ".join(one["note"] for one in runs)
    [page] = re.findall(r" · evidence: \S*/runs/(\w+) · ", notes["train_models"])
    assert mlflow(demo, f"runs/get?run_id={page}")["run"]["info"]["status"] == "FINISHED"
    known = demo.store.query("SELECT DISTINCT target FROM promotions")["target"].to_pylist()
    assert set(known) - {"sentiment"} == {recipe(name).target for name in demo_recipes()}


def test_airflow_knows_every_dag_of_the_folder(demo: Demo) -> None:
    listed = Airflow(demo.stack.settings, print).ask("GET", "dags?limit=100").json()["dags"]
    files = {path.name for path in (ROOT / "dags").glob("*.py")}
    assert {Path(one["fileloc"]).name for one in listed} == files


def test_what_is_served_is_what_was_recorded(demo: Demo) -> None:
    symbols = [f"SIM{i:03d}" for i in range(1, 7)]
    answer = ask(demo.stack, symbols)
    served = {row["symbol"]: row for row in answer.json()["predictions"]}
    office = champion(demo.store, OFFICE)
    assert office is not None
    rows = demo.store.query(
        "SELECT * FROM predictions WHERE universe = %s AND session = %s AND bundle = %s",
        (UNIVERSE, LAST, office.bundle),
    ).to_pylist()
    assert {row["symbol"] for row in rows} == set(served) == set(symbols)
    for row in rows:
        shown = served[row["symbol"]]
        for name in ("p_down", "p_neutral", "p_up"):
            assert shown[name] == pytest.approx(row[name], abs=1e-12)
        assert sum(shown[n] for n in ("p_down", "p_neutral", "p_up")) == pytest.approx(1)
        assert (shown["bundle"], shown["session"]) == (row["bundle"], LAST)
        assert shown["data_origin"] == "simulated"
        assert 0 < shown["volatility"]["value"] < 0.2
        assert shown["volatility"]["target"] == "volatility_5"


def test_an_unknown_symbol_is_named(demo: Demo) -> None:
    answer = ask(demo.stack, ["NOSUCH"])
    assert answer.status_code in (404, 422) and "NOSUCH" in answer.text


def test_the_alias_is_the_champion_of_the_ledger(demo: Demo) -> None:
    office = champion(demo.store, OFFICE)
    assert office is not None
    path = f"registered-models/alias?name={model_name(OFFICE)}&alias={ALIAS}"
    found = mlflow(demo, path)["model_version"]
    assert int(found["version"]) == office.model_version
    ledger = demo.store.query("SELECT decision FROM promotions ORDER BY number")
    # Champion zero, then what the contest decided.
    assert ledger.num_rows >= 2 and ledger["decision"][0].as_py() == "promoted"


def test_tuning_left_its_trials_as_child_runs(demo: Demo) -> None:
    experiment = f"experiments/get-by-name?experiment_name=finpulse-{UNIVERSE}"
    ids = [mlflow(demo, experiment)["experiment"]["experiment_id"]]
    runs = mlflow(demo, "runs/search", experiment_ids=ids, max_results=1000)["runs"]
    tags = [{t["key"]: t["value"] for t in run["data"]["tags"]} for run in runs]
    tunes = [
        run["info"]["run_id"]
        for run, tag in zip(runs, tags, strict=True)
        if "/tune/" in tag.get("airflow_key", "")
    ]
    trials = [tag for tag in tags if tag.get("mlflow.parentRunId") in tunes]
    assert len(trials) >= 2


def test_forecasts_met_their_truth(demo: Demo) -> None:
    rows = demo.store.query(
        "SELECT target, p.session, coalesce(o.label, o.value) AS truth "
        "FROM predictions p LEFT JOIN outcomes o USING (prediction_id)"
    ).to_pylist()
    # The truth of the last session needs the next one, or the next five; all others are settled.
    for target, horizon in (("trend_1", 1), ("volatility_5", 5)):
        told = [row for row in rows if row["target"] == target]
        sessions = sorted({row["session"] for row in told})
        assert len(sessions) >= 40 and str(sessions[-1]) == LAST
        settled = {row["session"] for row in told if row["truth"] is not None}
        assert settled == set(sessions[:-horizon])


def metrics(stack: Stack) -> str:
    return "".join(web.get(f"{u}/metrics").text for u in (stack.predictor, stack.monitoring))


def test_drift_is_exported(demo: Demo) -> None:
    series = re.compile(r'^finpulse_drift\w*\{.*test="psi".*$', re.M)
    assert eventually(lambda: series.search(web.get(f"{demo.stack.monitoring}/metrics").text))


def test_what_dashboard_and_rules_ask_for_is_exported_by_the_live_services(demo: Demo) -> None:
    files = (ROOT / "helm" / "monitoring").glob("[dr]*s/*.*")
    asked = set(re.findall(r"\bfinpulse_[a-z_0-9]+", "".join(f.read_text() for f in files)))

    def lacking() -> set[str]:
        families = text_string_to_metric_families(metrics(demo.stack))
        return asked.difference(*((f.name, *(s.name for s in f.samples)) for f in families))

    assert len(asked) > 20 and eventually(lambda: not lacking()), f"nobody exports {lacking()}"


@pytest.mark.skipif(
    shutil.which("prometheus") is None,
    reason="no prometheus: it comes with the Debian package `prometheus`",
)
def test_every_panel_shows_something(demo: Demo, tmp_path: Path) -> None:
    with prometheus(demo.stack, tmp_path) as asked:
        for query in panel_queries(UNIVERSE, "trend_1"):
            assert eventually(lambda query=query: asked(query), 60), query


@pytest.mark.slow  # as the next test does at its end, after one session more
def test_again_it_adds_nothing(demo: Demo) -> None:
    before = count(demo.stack, UNIVERSE)
    again = demo.script("demo")
    assert again.returncode == 0, again.stdout
    assert "added by this demo: 0 rows, 0 model versions" in again.stdout
    assert count(demo.stack, UNIVERSE) == before
    assert "SIM001" in again.stdout


def test_next_is_one_session_more_and_then_the_newest(demo: Demo) -> None:
    def issued() -> list[tuple[str, str, str]]:
        return [
            (str(row["session"]), row["symbol"], row["prediction_id"])
            for row in demo.store.query("SELECT * FROM predictions ORDER BY 1").to_pylist()
        ]

    bars = (
        "SELECT * FROM bars WHERE session <= %s ORDER BY load_id, session, instrument_id, known_at"
    )
    history, forecasts = demo.store.query(bars, (LAST,)), issued()
    onwards = demo.script("demo", "--next")
    assert onwards.returncode == 0, onwards.stdout
    assert f"Predictions of {NEXT}" in onwards.stdout
    assert demo.store.query(bars, (LAST,)) == history, "earlier sessions have changed"
    assert set(forecasts) < set(issued()) and max(issued())[0] == NEXT
    after = count(demo.stack, UNIVERSE)
    again = demo.script("demo")
    assert again.returncode == 0, again.stdout
    assert f"Predictions of {NEXT}" in again.stdout
    assert "added by this demo: 0 rows, 0 model versions" in again.stdout
    assert count(demo.stack, UNIVERSE) == after


@pytest.mark.troubleshooting("the task ... failed; the end of its log")
def test_a_failing_source_fails_the_run_with_its_cause(demo: Demo) -> None:
    airflow = Airflow(demo.stack.settings, print)
    conf = {"source": "files", "universe": "files", "session": LAST}
    before = count(demo.stack, UNIVERSE)
    with pytest.raises(
        RunFailed,
        match=r"the task extent of market_day failed; the end of its log(?s:.*)FINPULSE_DATA",
    ):
        airflow.run("market_day", "failing", conf)
    states = {task.name: task.state for task in airflow.tasks("market_day", "failing")}
    assert states.pop("extent") == "failed"
    assert set(states.values()) == {"upstream_failed"}
    assert count(demo.stack, UNIVERSE) == before


@pytest.mark.parametrize("name", ["predictor", "postgres"])
def test_a_killed_service_comes_back(demo: Demo, name: str) -> None:
    supervisor = Supervisor(demo.stack.home)
    pid = supervisor.info(name)["pid"]
    os.kill(pid, signal.SIGKILL)
    killed = datetime.now(UTC)
    eventually(lambda: supervisor.info(name)["pid"] not in (0, pid))
    eventually(lambda: ask(demo.stack, ["SIM001"]).is_success)
    eventually(lambda: demo.store.snapshot() > 0)

    def scheduler_beats() -> bool:
        health = web.get(f"{demo.stack.settings.airflow}/api/v2/monitor/health").json()
        beat = health["scheduler"]["latest_scheduler_heartbeat"]
        return beat is not None and datetime.fromisoformat(beat) > killed

    eventually(scheduler_beats)


def test_down_leaves_no_process(demo: Demo) -> None:
    home = demo.stack.home
    assert len(marked(home)) >= 6
    stopped = demo.script("down")
    assert stopped.returncode == 0 and "no process" in stopped.stdout
    assert marked(home) == [] and Supervisor(home).process is None
