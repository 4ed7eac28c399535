"""When `train_models` runs and what it is about: a week, an alarm's office, or what it is asked."""

from typing import Any

from airflow.sdk import AssetOrTimeSchedule, Param
from alarms import ALARMS, alarm
from exchange_timetable import WeekClose
from market_days import market_days
from step import NAME, choice, universe

MACROS = {"alarm": alarm}
_ALARM = "alarm(triggering_asset_events)"
# The office of the alarm that woke the run, else what the run was asked for.
ASKED = " ".join(
    (
        f"--universe={{{{ {_ALARM}.universe or params.universe }}}}",
        f"--target={{{{ {_ALARM}.target }}}}",
        f"--session={{{{ {_ALARM}.session or params.session or '' }}}}",
        "--first={{ params.first or '' }} --recipe={{ params.recipe }}",
    )
)
OFFICE = (
    "{{ ti.xcom_pull(task_ids='inputs').universe }}/{{ ti.xcom_pull(task_ids='inputs').target }}"
)
PARAMS = {
    "universe": universe(),
    "first": choice("first session learnt from; or the first that there is"),
    "session": choice("trained at its close; or the newest that there is"),
    "recipe": Param("default", type="string", pattern=NAME, description="see training/recipes"),
}


def schedule() -> Any:
    """Alarms, and where the days of the settings' universe come by themselves the night after each
    week's last session, too."""
    own, *_ = market_days()
    if own.schedule is None:
        return [ALARMS]
    return AssetOrTimeSchedule(timetable=WeekClose(own.schedule.calendar), assets=[ALARMS])
