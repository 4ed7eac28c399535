"""The DAG `train_models`: a challenger is trained, judged, and promoted if it wins."""

import json

from airflow.sdk import chain
from alarms import Earlier, Woken
from approval import approval
from step import PINNED, SNAPSHOT, Step, pipeline, steps, told, words
from trainings import ASKED, MACROS, OFFICE, PARAMS, schedule

RECIPE = told("inputs", "recipe")
RUN = f"{told('inputs', 'session', 'universe')} {PINNED} {RECIPE}"
SPAN = f"{told('inputs', 'first', 'universe')} {PINNED} {told('inputs', last='session')}"
EXPERT = "{{ ti.xcom_pull(task_ids='experts')[ti.map_index] }}"
DECIDED = f"{told('inputs', 'session', 'universe', 'target')} {PINNED}"

BEFORE = {
    "features": f"python -m features materialise {told('inputs', 'view', 'text_model')} {SPAN}",
    **{verb: f"python -m training {verb} {RUN}" for verb in ("zero", "tune")},
}
JUDGED = {verb: f"python -m training {verb} {RUN}" for verb in ("ensemble", "evidence", "contest")}
AFTER = {"promote": f"python -m training promote {RUN}"}
AFTER["predict"] = f"python -m serving predict {DECIDED} --catch-up 40"
ABOUT = """Earlier champions are tried where an alarm lasts; else a challenger is tuned, fitted and
judged against the champion on sessions that neither has seen, and promoted if it wins."""

how = {"schedule": schedule(), "params": PARAMS, "user_defined_macros": MACROS}
with pipeline("train_models", hours=12, runs=2, doc_md=ABOUT, **how) as dag:
    snapshot = Woken(task_id="snapshot", argv=words(SNAPSHOT))
    inputs, experts = (
        Step(task_id=verb, argv=words(f"python -m training {verb} {about}"), answer=json.loads)
        for verb, about in (("inputs", f"{ASKED} {PINNED}"), ("experts", RECIPE))
    )
    fit = Step.partial(task_id="fit", argv=words(f"python -m training fit --expert {EXPERT} {RUN}"))
    asked = approval("contest", OFFICE)
    # Where a person approves, who is better is named, and for that person to release.
    back = f"python -m monitoring earlier {DECIDED}" + " --judge" * bool(asked)
    earlier = Earlier(task_id="earlier", argv=words(back))
    before = (snapshot, inputs, earlier, *steps(BEFORE), experts)
    chain(*before, fit.expand(part=experts.output), *steps(JUDGED), *asked, *steps(AFTER))
