"""The DAG `train_models`: a challenger is trained, judged, and promoted if it wins."""

import json
import os
from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param, chain, task

SEEN = "--snapshot {{ ti.xcom_pull(task_ids='snapshot') }}"
PLACE = f"--universe {{{{ params.universe }}}} --session {{{{ params.session }}}} {SEEN}"
RUN = f"{PLACE} --recipe {{{{ params.recipe }}}}"

BEFORE = {
    "snapshot": "python -m contracts snapshot --run 'train_models/{{ run_id }}'",
    "features": "python -m features materialise --view "
    "$(python -m training view --recipe {{ params.recipe }}) --universe {{ params.universe }} "
    f"--first {{{{ params.first }}}} --last {{{{ params.session }}}} {SEEN}",
    "zero": f"python -m training zero {RUN}",
    "tune": f"python -m training tune {RUN}",
}
AFTER = {
    "ensemble": f"python -m training ensemble {RUN}",
    "evidence": f"python -m training evidence {RUN}",
    "contest": f"python -m training contest {RUN}",
    "promote": f"python -m training promote {RUN}",
    "predict": f"python -m serving predict {PLACE} --catch-up 40",
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


@task.bash
def fit(expert: str) -> str:
    """The command that fits one expert of the recipe."""
    return f"python -m training fit --expert {expert} {RUN}"


with DAG(
    "train_models",
    schedule=None,
    max_active_runs=1,
    default_args=EVERY_STEP,
    params={
        "universe": os.environ.get("FINPULSE_UNIVERSE", "sim20"),
        "first": Param(type="string", format="date", description="first session learnt from"),
        "session": Param(type="string", format="date", description="trained at its close"),
        "recipe": Param("default", type="string", description="a name in training/recipes.py"),
    },
    doc_md="A challenger is tuned, fitted and judged against the champion on sessions that neither "
    "has seen, and promoted if it wins, all at the snapshot of the step `snapshot`.",
) as dag:
    experts = BashOperator(
        task_id="experts",
        bash_command="python -m training experts --recipe {{ params.recipe }}",
        output_processor=json.loads,
    )
    chain(
        *[BashOperator(task_id=name, bash_command=step) for name, step in BEFORE.items()],
        experts,
        fit.expand(expert=experts.output),
        *[BashOperator(task_id=name, bash_command=step) for name, step in AFTER.items()],
    )
