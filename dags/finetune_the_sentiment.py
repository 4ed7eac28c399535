"""The DAG `finetune_sentiment`: a text model is fine-tuned, judged, and promoted if it wins."""

from datetime import UTC, datetime

from airflow.sdk import Param, chain
from approval import approval
from market_days import goes_on
from step import NAME, NAMES, pipeline, steps

SETS = "--learn {{ params.learn }} --stop {{ params.stop }} --held {{ params.held }}"
HOW = "--trials {{ params.trials }} --epochs {{ params.epochs }} --frozen {{ params.frozen }}"
LIFE = f"{SETS} {HOW}"

JUDGED, AFTER = ("data", "tune", "fit", "evaluate", "contest"), ("promote", "rescore")
PARAMS = {
    "learn": Param("sentences", type="string", pattern=NAMES, description="sets, between commas"),
    "stop": Param("posts", type="string", pattern=NAME, description="set that says when to stop"),
    "held": Param("headlines", type="string", pattern=NAMES, description="sets to be judged on"),
    "trials": Param(4, type="integer", minimum=1, description="courses to try"),
    "epochs": Param(4, type="number", minimum=0.01, description="of the first course"),
    "frozen": Param(0, type="integer", minimum=0, description="lowest layers that never learn"),
}
ABOUT = """A text model is fine-tuned on labelled sets and contests the office of reading texts on
sets that neither it nor its champion learnt from."""

with pipeline(
    "finetune_sentiment",
    hours=12,
    schedule="@weekly" if goes_on() else None,
    start_date=datetime(2025, 1, 5, tzinfo=UTC),
    params=PARAMS,
    default_args={"pool": "gpu"},
    doc_md=ABOUT,
) as dag:
    judged, after = (
        steps({verb: f"python -m training finetune {verb} {LIFE}" for verb in verbs})
        for verbs in (JUDGED, AFTER)
    )
    chain(*judged, *approval("contest", "of reading texts"), *after)
