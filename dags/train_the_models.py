"""The DAG `train_models`: a challenger is trained, judged, and promoted if it wins."""

import os
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param, chain

# The experts of the recipe; each is fitted by a task of its own.
EXPERTS = ("xgboost",)

SEEN = "--snapshot {{ ti.xcom_pull(task_ids='snapshot') }}"
PLACE = f"--universe {{{{ params.universe }}}} --session {{{{ params.session }}}} {SEEN}"
RUN = f"{PLACE} --recipe {{{{ params.recipe }}}}"

STEPS = {
    "snapshot": "python -m contracts snapshot --run 'train_models/{{ run_id }}'",
    "features": "python -m features materialise --view daily_1 --universe {{ params.universe }} "
    f"--first {{{{ params.first }}}} --last {{{{ params.session }}}} {SEEN}",
    "zero": f"python -m training zero {RUN}",
    "tune": f"python -m training tune {RUN}",
    "fit": [f"python -m training fit --expert {expert} {RUN}" for expert in EXPERTS],
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
}

with DAG(
    "train_models",
    schedule=None,
    max_active_runs=1,
    default_args=EVERY_STEP,
    params={
        "universe": os.environ.get("FINPULSE_UNIVERSE", "sim20"),
        "first": Param(type="string", format="date", description="first session learnt from"),
        "session": Param(type="string", format="date", description="trained at its close"),
        "recipe": "daily_trend",
    },
    doc_md="A challenger is tuned, fitted and judged against the champion on sessions that neither "
    "has seen, and promoted if it wins, all at the snapshot of the step `snapshot`.",
) as dag:
    chain(
        *[
            BashOperator.partial(task_id=name).expand(bash_command=step)
            if isinstance(step, list)
            else BashOperator(task_id=name, bash_command=step)
            for name, step in STEPS.items()
        ]
    )
