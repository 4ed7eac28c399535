"""The DAG `backfill_market`: the history of a market, range by range."""

import json
import os
from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param, chain, task_group

RANGE = "ti.xcom_pull(task_ids='ranges')[ti.map_index]"
FACTS = "--source {{ params.source }} --universe {{ params.universe }}"
PART = f"{FACTS} --first {{{{ {RANGE}['first'] }}}} --last {{{{ {RANGE}['last'] }}}}"
SPAN = "--first {{ params.first }} --last {{ params.last }}"
SEEN = "--universe {{ params.universe }} --snapshot {{ ti.xcom_pull(task_ids='snapshot') }}"

LOADS = {verb: f"python -m etl {verb} {PART}" for verb in ("collect", "clean", "gate", "append")}
STEPS = {
    "snapshot": "python -m contracts snapshot --run 'backfill_market/{{ run_id }}'",
    "score_text": f"python -m training score-text --session {{{{ params.last }}}} {SEEN}",
    "features": f"python -m features materialise --view daily_3 {SPAN} {SEEN}",
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
    "execution_timeout": timedelta(hours=12),
}


def steps(commands: dict[str, str]) -> list[BashOperator]:
    return [BashOperator(task_id=name, bash_command=step) for name, step in commands.items()]


with DAG(
    "backfill_market",
    schedule=None,
    max_active_runs=1,
    default_args=EVERY_STEP,
    params={
        "source": os.environ.get("FINPULSE_SOURCE", "simulated"),
        "universe": os.environ.get("FINPULSE_UNIVERSE", "sim20"),
        "first": Param(type="string", format="date", description="first session"),
        "last": Param(type="string", format="date", description="last session"),
        "sessions": Param(1000, type="integer", minimum=1, description="sessions of one range"),
    },
    doc_md="A market's history is loaded in ranges of sessions side by side, its texts are scored "
    "and its features materialised at the snapshot of the step `snapshot`.",
) as dag:
    split = f"python -m contracts ranges {SPAN} --sessions {{{{ params.sessions }}}}"
    ranges = BashOperator(task_id="ranges", bash_command=split, output_processor=json.loads)

    @task_group
    def load(part: dict[str, str]) -> None:  # noqa: ARG001
        chain(*steps(LOADS))

    chain(ranges, load.expand(part=ranges.output), *steps(STEPS))
