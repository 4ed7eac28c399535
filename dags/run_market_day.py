"""The DAG `market_day`: one session, from its facts to settled predictions."""

import os
from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param, chain
from exchange_timetable import SessionClose

SOURCE = os.environ.get("FINPULSE_SOURCE", "simulated")
# Only a source that goes on has something to collect tomorrow: the others are run by hand.
SCHEDULE = SessionClose(os.environ.get("FINPULSE_CALENDAR", "XNYS")) if SOURCE == "yahoo" else None

# A session is named by the last moment before its close: that of 24/7 ends at midnight.
SESSION = "{{ params.session or (data_interval_end - macros.timedelta(microseconds=1)) | ds }}"
FACTS = f"--source {{{{ params.source }}}} --universe {{{{ params.universe }}}} --session {SESSION}"
SEEN = "--snapshot {{ ti.xcom_pull(task_ids='snapshot') }}"
RUN = f"--universe {{{{ params.universe }}}} --session {SESSION} {SEEN}"
# The 40 sessions that a new champion forecasts, and one before: the last that a champion of the
# session before may have forecast, so that its truth can be settled.
LAST_41 = f"--last {SESSION} --sessions 41 {SEEN}"

STEPS = {
    "collect": f"python -m etl collect {FACTS}",
    "clean": f"python -m etl clean {FACTS}",
    "gate": f"python -m etl gate {FACTS}",
    "append": f"python -m etl append {FACTS}",
    "snapshot": "python -m contracts snapshot --run 'market_day/{{ run_id }}'",
    "score_text": f"python -m training score-text {RUN}",
    "features": "python -m features materialise --view daily_3 --universe {{ params.universe }} "
    + LAST_41,
    "predict": f"python -m serving predict {RUN} --catch-up 40",
    "settle": f"python -m monitoring settle {RUN} --sessions 41",
    "drift": f"python -m monitoring drift {RUN}",
}
# Steps run in the repository, where their commands can be pasted, and know their map index.
EVERY_STEP = {
    "cwd": str(Path(__file__).resolve().parents[1]),
    "append_env": True,
    "env": {"AIRFLOW_CTX_MAP_INDEX": "{{ ti.map_index }}"},
    # A service away for a minute ends no run: tried again after half a minute and after one more.
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=5),
    "execution_timeout": timedelta(hours=3),
}

with DAG(
    "market_day",
    schedule=SCHEDULE,
    catchup=False,
    max_active_runs=1,
    default_args=EVERY_STEP,
    params={
        "source": SOURCE,
        "universe": os.environ.get("FINPULSE_UNIVERSE", "sim20"),
        "session": Param(None, type=["null", "string"], format="date"),
    },
    doc_md="One session of a market: its facts are collected, checked and stored, then forecast, "
    "earlier forecasts settled and drift scored, all at the snapshot of the step `snapshot`.",
) as dag:
    chain(*[BashOperator(task_id=name, bash_command=step) for name, step in STEPS.items()])
