"""The DAG `market_day`: one session, from its facts to settled predictions."""

import os
from datetime import timedelta

from airflow.sdk import DAG, Param, chain
from exchange_timetable import SessionClose
from step import AGAIN, Step, source, steps, universe, words

SOURCE = os.environ.get("FINPULSE_SOURCE", "simulated")
# Only a source that goes on has something to collect tomorrow: the others are run by hand.
SCHEDULE = SessionClose(os.environ.get("FINPULSE_CALENDAR", "XNYS")) if SOURCE == "yahoo" else None

# A run by hand that names no session is about the newest that its source delivers. A scheduled one
# is named by the last moment before its session's close: that of 24/7 ends at midnight.
SESSION = (
    "{{ params.session or (ti.xcom_pull(task_ids='extent') if dag_run.run_type == 'manual' "
    "else (data_interval_end - macros.timedelta(microseconds=1)) | ds) }}"
)
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
    "snapshot": "python -m contracts snapshot --run market_day/{{ run_id }}",
    "score_text": f"python -m training score-text {RUN}",
    "features": "python -m features materialise --view daily_3 --universe {{ params.universe }} "
    + LAST_41,
    "predict": f"python -m serving predict {RUN} --catch-up 40",
    "settle": f"python -m monitoring settle {RUN} --sessions 41",
    "drift": f"python -m monitoring drift {RUN}",
}

with DAG(
    "market_day",
    schedule=SCHEDULE,
    default_args=AGAIN | {"execution_timeout": timedelta(hours=3)},
    catchup=False,
    max_active_runs=1,
    params={
        "source": source(),
        "universe": universe(),
        "session": Param(None, type=["null", "string"], format="date", description="or the newest"),
    },
    doc_md="One session of a market: its facts are collected, checked and stored, then forecast, "
    "earlier forecasts settled and drift scored, all at the snapshot of the step `snapshot`.",
) as dag:
    newest = words(
        "python -m etl extent --source {{ params.source }} --universe {{ params.universe }}"
    )
    extent = Step(task_id="extent", argv=newest, answer=lambda printed: printed.split()[-1])
    chain(extent, *steps(STEPS))
