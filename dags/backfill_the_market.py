"""The DAG `backfill_market`: the history of a market, range by range."""

import json
from datetime import timedelta

from airflow.sdk import DAG, Param, chain, task_group
from step import AGAIN, Step, session, source, steps, universe, words

RANGE = "ti.xcom_pull(task_ids='ranges')[ti.map_index]"
FACTS = "--source {{ params.source }} --universe {{ params.universe }}"
PART = f"{FACTS} --first {{{{ {RANGE}['first'] }}}} --last {{{{ {RANGE}['last'] }}}}"
SPAN = "--first {{ params.first }} --last {{ params.last }}"
SEEN = "--universe {{ params.universe }} --snapshot {{ ti.xcom_pull(task_ids='snapshot') }}"

LOADS = {verb: f"python -m etl {verb} {PART}" for verb in ("collect", "clean", "gate", "append")}
STEPS = {
    "snapshot": "python -m contracts snapshot --run backfill_market/{{ run_id }}",
    "score_text": f"python -m training score-text --session {{{{ params.last }}}} {SEEN}",
    "features": f"python -m features materialise --view daily_3 {SPAN} {SEEN}",
}

with DAG(
    "backfill_market",
    schedule=None,
    default_args=AGAIN | {"execution_timeout": timedelta(hours=12)},
    max_active_runs=1,
    params={
        "source": source(),
        "universe": universe(),
        "first": session("first session"),
        "last": session("last session, not before the first"),
        "sessions": Param(1000, type="integer", minimum=1, description="sessions of one range"),
    },
    doc_md="A market's history is loaded in ranges of sessions side by side, its texts are scored "
    "and its features materialised at the snapshot of the step `snapshot`.",
) as dag:
    split = f"python -m contracts ranges {SPAN} --universe {{{{ params.universe }}}} "
    split += "--sessions {{ params.sessions | int }}"
    ranges = Step(task_id="ranges", argv=words(split), answer=json.loads)

    @task_group
    def load(part: dict[str, str]) -> None:  # noqa: ARG001
        chain(*steps(LOADS))

    chain(ranges, load.expand(part=ranges.output), *steps(STEPS))
