"""The DAG `train_models`: a challenger is trained, judged, and promoted if it wins."""

import json

from airflow.sdk import Param, chain
from step import NAME, SEEN, SNAPSHOT, Step, pipeline, session, steps, universe, words

RECIPE = "--recipe {{ params.recipe }}"
PLACE = f"--session {{{{ params.session }}}} {SEEN}"
RUN = f"{PLACE} {RECIPE}"
SPAN = f"--first {{{{ params.first }}}} --last {{{{ params.session }}}} {SEEN}"
INPUTS = "ti.xcom_pull(task_ids='inputs')"
MODEL = f"--view {{{{ {INPUTS}.view }}}} --text-model {{{{ {INPUTS}.text_model }}}}"
EXPERT = "{{ ti.xcom_pull(task_ids='experts')[ti.map_index] }}"

BEFORE = {
    "snapshot": SNAPSHOT,
    "features": f"python -m features materialise {MODEL} {SPAN}",
    **{verb: f"python -m training {verb} {RUN}" for verb in ("zero", "tune")},
}
JUDGED = ("ensemble", "evidence", "contest", "promote")
AFTER = {verb: f"python -m training {verb} {RUN}" for verb in JUDGED}
TARGET = f"--target {{{{ {INPUTS}.target }}}}"
AFTER["predict"] = f"python -m serving predict {PLACE} {TARGET} --catch-up 40"

CHOICE = Param("default", type="string", pattern=NAME, description="a name in training/recipe.py")
FIRST = session("first session learnt from, before the last")
LAST = session("trained at its close")
PARAMS = {"universe": universe(), "first": FIRST, "session": LAST, "recipe": CHOICE}
ABOUT = """A challenger is tuned, fitted and judged against the champion on sessions that neither
has seen, and promoted if it wins, all at the snapshot of the step `snapshot`."""

with pipeline("train_models", hours=12, runs=2, schedule=None, params=PARAMS, doc_md=ABOUT) as dag:
    inputs, experts = (
        Step(task_id=verb, argv=words(f"python -m training {verb} {RECIPE}"), answer=json.loads)
        for verb in ("inputs", "experts")
    )
    fit = Step.partial(task_id="fit", argv=words(f"python -m training fit --expert {EXPERT} {RUN}"))
    chain(inputs, *steps(BEFORE), experts, fit.expand(part=experts.output), *steps(AFTER))
