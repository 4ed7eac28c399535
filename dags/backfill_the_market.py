"""The DAG `backfill_market`: the history of a market, range by range."""

import json

from airflow.sdk import Param, chain, task_group
from step import FACTS, SEEN, SNAPSHOT, Step, pipeline, session, source, steps, universe, words

RANGE = "ti.xcom_pull(task_ids='ranges')[ti.map_index]"
PART = f"{FACTS} --first {{{{ {RANGE}['first'] }}}} --last {{{{ {RANGE}['last'] }}}}"
PLACE, COUNT = "--universe {{ params.universe }}", "--sessions {{ params.sessions | int }}"
SPAN = "--first {{ params.first }} --last {{ params.last }}"
MODEL = "--view daily_3 --text-model {{ ti.xcom_pull(task_ids='score_text') }}"
MODEL += " --engine {{ params.engine }}"

LOADS = {verb: f"python -m etl {verb} {PART}" for verb in ("collect", "clean", "gate", "append")}
STEPS = {
    "snapshot": SNAPSHOT,
    "score_text": f"python -m training score-text --session {{{{ params.last }}}} {SEEN}",
    "features": f"python -m features materialise {MODEL} {SPAN} {SEEN}",
}
PARAMS = {
    "source": source(),
    "universe": universe(),
    "first": session("first session"),
    "last": session("last session, not before the first"),
    "sessions": Param(1000, type="integer", minimum=1, description="sessions of one range"),
    "engine": Param("process", enum=["process", "spark"], description="what computes features"),
}
ABOUT = """A market's history is loaded in ranges of sessions side by side, its texts are scored
and its features materialised at the snapshot of the step `snapshot`."""

with pipeline("backfill_market", hours=12, schedule=None, params=PARAMS, doc_md=ABOUT) as dag:
    split = words(f"python -m contracts ranges {SPAN} {PLACE} {COUNT}")
    ranges = Step(task_id="ranges", argv=split, answer=json.loads)

    @task_group
    def load(part: dict[str, str]) -> None:  # noqa: ARG001
        chain(*steps(LOADS))

    chain(ranges, load.expand(part=ranges.output), *steps(STEPS))
