"""The DAGs `market_day`, one per universe: a session, from its facts to settled predictions."""

from airflow.sdk import Param, chain
from market_days import market_days
from step import FACTS, SEEN, SNAPSHOT, Step, pipeline, source, steps, universe, words

# By hand without a session it is the newest of the source. A scheduled run is named by the last
# moment before its session's close: that of 24/7 ends at midnight.
NEWEST = "ti.xcom_pull(task_ids='extent')"
CLOSED = "(data_interval_end - macros.timedelta(microseconds=1)) | ds"
BY_HAND = "dag_run.run_type == 'manual'"
SESSION = f"{{{{ params.session or ({NEWEST} if {BY_HAND} else {CLOSED}) }}}}"
RUN = f"--session {SESSION} {SEEN}"
READ = "macros.json.loads(ti.xcom_pull(task_ids='score_text'))"
MODEL = f"--view {{{{ {READ}.views }}}} --text-model {{{{ {READ}.text_model }}}}"

LOADS = ("collect", "clean", "gate", "append")
STEPS = {verb: f"python -m etl {verb} {FACTS} --session {SESSION}" for verb in LOADS} | {
    "snapshot": SNAPSHOT,
    "score_text": f"python -m training score-text {RUN} --inputs",
    # 41: what a new champion forecasts, and the last that one of the day before may have forecast.
    "features": f"python -m features materialise {MODEL} --last {SESSION} --sessions 41 {SEEN}",
    "predict": f"python -m serving predict {RUN} --catch-up 40",
    "settle": f"python -m monitoring settle {RUN} --sessions 41",
    "drift": f"python -m monitoring drift {RUN}",
    "alarms": f"python -m monitoring alarms {RUN}",
}
DAY = Param(None, type=["null", "string"], format="date", description="or the newest")
ABOUT = """One session of a market: its facts are collected, checked and stored, then forecast,
earlier forecasts settled, drift scored and alarms asked, all at the snapshot of `snapshot`."""

for day in market_days():
    about = {"source": source(day.source), "universe": universe(day.universe), "session": DAY}
    options = {"schedule": day.schedule, "is_paused_upon_creation": day.paused}
    with pipeline(day.dag, hours=3, params=about, doc_md=ABOUT, **options) as dag:
        asked = words(f"python -m etl extent {FACTS}")
        extent = Step(task_id="extent", argv=asked, answer=lambda printed: printed.split()[-1])
        chain(extent, *steps(STEPS))
    globals()[day.dag] = dag
