"""The DAG `train_targets`: challengers of several recipes, all of each in one process."""

import json

from airflow.sdk import Param, chain
from approval import approval
from step import NAMES, SEEN, SNAPSHOT, Step, pipeline, session, steps, universe, words

PLACE = f"--session {{{{ params.session }}}} {SEEN}"
TRAIN = f"python -m training train --first {{{{ params.first }}}} {PLACE}"
TARGETS = "{{ ','.join(ti.xcom_pull(task_ids='train')) }}"
PREDICT = f"python -m serving predict {PLACE} --target {TARGETS} --catch-up 40"

CHOICE = Param("volatility", type="string", pattern=NAMES, description="names, between commas")
FIRST = session("first session learnt from, before the last")
LAST = session("trained at its close")
PARAMS = {"universe": universe(), "first": FIRST, "session": LAST, "recipes": CHOICE}
ABOUT = """What `train_models` does in a task each, done here for several recipes in one process,
at the snapshot of the step `snapshot`: parts before those that hear them."""

with pipeline("train_targets", hours=12, runs=2, schedule=None, params=PARAMS, doc_md=ABOUT) as dag:
    [snapshot] = steps({"snapshot": SNAPSHOT})
    asked = f"{TRAIN} --recipes {{{{ params.recipes }}}}"
    approved = approval("train", "{{ params.universe }}")
    # What waits for a person is promoted apart from what was judged.
    judged = f"{asked} --part judge" if approved else asked
    rest = {"promote": f"{asked} --part promote"} if approved else {}
    train = Step(task_id="train", argv=words(judged), answer=json.loads)
    chain(snapshot, train, *approved, *steps(rest | {"predict": PREDICT}))
