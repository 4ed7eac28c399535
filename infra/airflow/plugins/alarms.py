"""Alarms of the ledger that wake a DAG: whom they are about, one office a run."""

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from airflow.sdk import Asset, AssetAlias, Context
from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped
from step import NAME, Step

# The monitoring service tells of each alarm that is severe and stays.
ALARMS = Asset("alarms", uri="finpulse://ledger/alarms")
# By which a run tells of those that it leaves to the next one.
LEFT = AssetAlias("alarms_left")
# What `python -m monitoring earlier` says where nobody comes back.
NOBODY = "nobody"


@dataclass(frozen=True)
class Alarm:
    """Whom an alarm is about; all is empty in a run that none woke."""

    universe: str = ""
    target: str = ""
    family: str = ""
    session: str = ""


def alarm(woken_by: Mapping[Asset, Iterable[Any]]) -> Alarm:
    """The alarm that a run is about, the first of those that woke it.

    Raises AirflowFailException where each of them names no office.
    """
    told = [event.extra for event in woken_by.get(ALARMS, ())]
    found = _offices(told)
    if told and not found:
        raise AirflowFailException(
            f"expected an event of {ALARMS.uri} with universe, target, family and session, "
            f"found {told}"
        )
    return found[0] if found else Alarm()


def _offices(told: Iterable[Mapping[str, Any]]) -> list[Alarm]:
    """One alarm for each office, in the order in which they came."""
    found: dict[tuple[str, str], Alarm] = {}
    for extra in told:
        one = Alarm(**{each.name: str(extra.get(each.name, "")) for each in fields(Alarm)})
        if re.match(NAME, one.universe) and re.match(NAME, one.target):
            found.setdefault((one.universe, one.target), one)
        else:
            logging.getLogger(__name__).error("an alarm names no office: %s", extra)
    return list(found.values())


class Woken(Step):
    """A step of a run that alarms may have woken: those that came together with the run's own wake
    the next run. Airflow makes one run of all events that have come since the last."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**({"outlets": [LEFT]} | options))

    def execute(self, context: Context) -> Any:
        """Called by Airflow."""
        done = super().execute(context)
        events = context["triggering_asset_events"].get(ALARMS, ())
        for each in _offices(event.extra for event in events)[1:]:
            self.log.info("left to the next run: %s", each)
            context["outlet_events"][LEFT].add(ALARMS, extra=vars(each))
        return done


class Earlier(Step):
    """A step after which there is nothing to do where an earlier champion comes back: the rest of
    its run is skipped. Its result is the bundle, or NOBODY."""

    def execute(self, context: Context) -> Any:
        """Called by Airflow."""
        back = super().execute(context)
        if back == NOBODY:
            return back
        # What is raised returns nothing.
        context["ti"].xcom_push(key="return_value", value=back)
        raise DownstreamTasksSkipped(tasks=sorted(self.downstream_task_ids))
