"""The DAG `train_models`: a challenger is trained, judged, and promoted if it wins."""

import json

from airflow.sdk import AssetOrTimeSchedule, Param, chain
from alarms import ALARMS, Earlier, Woken, alarm
from approval import approval
from exchange_timetable import WeekClose
from market_days import market_days
from step import NAME, SNAPSHOT, Step, choice, pipeline, steps, universe, words

# Who is trained: the office of the alarm that woke the run, else what the run was asked for.
ALARM = "alarm(triggering_asset_events)"
ASKED = (
    f"--universe={{{{ {ALARM}.universe or params.universe }}}} --target={{{{ {ALARM}.target }}}}"
)
ASKED += f" --session={{{{ {ALARM}.session or params.session or '' }}}}"
ASKED += " --first={{ params.first or '' }} --recipe={{ params.recipe }}"
PINNED = "--snapshot {{ ti.xcom_pull(task_ids='snapshot') }}"
INPUTS = "ti.xcom_pull(task_ids='inputs')"
SEEN = f"--universe {{{{ {INPUTS}.universe }}}} {PINNED}"
RECIPE = f"--recipe {{{{ {INPUTS}.recipe }}}}"
PLACE = f"--session {{{{ {INPUTS}.session }}}} {SEEN}"
RUN = f"{PLACE} {RECIPE}"
SPAN = f"--first {{{{ {INPUTS}.first }}}} --last {{{{ {INPUTS}.session }}}} {SEEN}"
MODEL = f"--view {{{{ {INPUTS}.view }}}} --text-model {{{{ {INPUTS}.text_model }}}}"
TARGET = f"--target {{{{ {INPUTS}.target }}}}"
EXPERT = "{{ ti.xcom_pull(task_ids='experts')[ti.map_index] }}"

# Where a person approves, who is better is named, and for that person to release.
EARLIER = f"python -m monitoring earlier {PLACE} {TARGET}"
BEFORE = {
    "features": f"python -m features materialise {MODEL} {SPAN}",
    **{verb: f"python -m training {verb} {RUN}" for verb in ("zero", "tune")},
}
JUDGED = {verb: f"python -m training {verb} {RUN}" for verb in ("ensemble", "evidence", "contest")}
AFTER = {
    "promote": f"python -m training promote {RUN}",
    "predict": f"python -m serving predict {PLACE} {TARGET} --catch-up 40",
}

CHOICE = Param("default", type="string", pattern=NAME, description="a name in training/recipe.py")
PARAMS = {
    "universe": universe(),
    "first": choice("first session learnt from; or the first that there is"),
    "session": choice("trained at its close; or the newest that there is"),
    "recipe": CHOICE,
}
ABOUT = """Earlier champions are tried where an alarm lasts; else a challenger is tuned, fitted and
judged against the champion on sessions that neither has seen, and promoted if it wins, all at the
snapshot of the step `snapshot`."""

# The night after the week's last session of the settings' universe, where its days come by
# themselves; a severe alarm that stays wakes it in any case.
own, *_ = market_days()
WEEKLY = WeekClose(own.schedule.calendar) if own.schedule else None
WOKEN = AssetOrTimeSchedule(timetable=WEEKLY, assets=[ALARMS]) if WEEKLY else [ALARMS]

with pipeline(
    "train_models",
    hours=12,
    runs=2,
    schedule=WOKEN,
    params=PARAMS,
    user_defined_macros={"alarm": alarm},
    doc_md=ABOUT,
) as dag:
    inputs = Step(
        task_id="inputs",
        argv=words(f"python -m training inputs {ASKED} {PINNED}"),
        answer=json.loads,
    )
    experts = Step(
        task_id="experts", argv=words(f"python -m training experts {RECIPE}"), answer=json.loads
    )
    fit = Step.partial(task_id="fit", argv=words(f"python -m training fit --expert {EXPERT} {RUN}"))
    approved = approval("contest", f"{{{{ {INPUTS}.universe }}}}/{{{{ {INPUTS}.target }}}}")
    earlier = Earlier(task_id="earlier", argv=words(EARLIER + (" --judge" if approved else "")))
    chain(
        *(Woken(task_id="snapshot", argv=words(SNAPSHOT)), inputs, earlier, *steps(BEFORE)),
        *(experts, fit.expand(part=experts.output), *steps(JUDGED), *approved, *steps(AFTER)),
    )
