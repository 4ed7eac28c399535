"""The DAG `train_models`: a challenger is trained, judged, and promoted if it wins."""

import json
from datetime import timedelta

from airflow.sdk import DAG, Param, chain
from step import AGAIN, NAME, Step, session, steps, universe, words

SEEN = "--snapshot {{ ti.xcom_pull(task_ids='snapshot') }}"
PLACE = f"--universe {{{{ params.universe }}}} --session {{{{ params.session }}}} {SEEN}"
RUN = f"{PLACE} --recipe {{{{ params.recipe }}}}"
EXPERT = "{{ ti.xcom_pull(task_ids='experts')[ti.map_index] }}"

BEFORE = {
    "view": "python -m training view --recipe {{ params.recipe }}",
    "snapshot": "python -m contracts snapshot --run train_models/{{ run_id }}",
    "features": "python -m features materialise --view {{ ti.xcom_pull(task_ids='view') }} "
    "--universe {{ params.universe }} --first {{ params.first }} --last {{ params.session }} "
    + SEEN,
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

with DAG(
    "train_models",
    schedule=None,
    default_args=AGAIN | {"execution_timeout": timedelta(hours=12)},
    max_active_runs=1,
    params={
        "universe": universe(),
        "first": session("first session learnt from, before the last"),
        "session": session("trained at its close"),
        "recipe": Param(
            "default", type="string", pattern=NAME, description="a name in training/recipe.py"
        ),
    },
    doc_md="A challenger is tuned, fitted and judged against the champion on sessions that neither "
    "has seen, and promoted if it wins, all at the snapshot of the step `snapshot`.",
) as dag:
    listed = words("python -m training experts --recipe {{ params.recipe }}")
    experts = Step(task_id="experts", argv=listed, answer=json.loads)
    fit = Step.partial(task_id="fit", argv=words(f"python -m training fit --expert {EXPERT} {RUN}"))
    chain(*steps(BEFORE), experts, fit.expand(part=experts.output), *steps(AFTER))
