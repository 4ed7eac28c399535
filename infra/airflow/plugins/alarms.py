"""Alarms of the ledger that wake a DAG: whom they are about."""

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowFailException
from step import NAME

# The monitoring service tells of each alarm that is severe and stays.
ALARMS = Asset("alarms", uri="finpulse://ledger/alarms")


@dataclass(frozen=True)
class Alarm:
    """Whom an alarm is about; all is empty in a run that none woke."""

    universe: str = ""
    target: str = ""
    family: str = ""
    session: str = ""


def alarm(woken_by: Mapping[Asset, Iterable[Any]]) -> Alarm:
    """The first alarm of those that woke a run; raises AirflowFailException for a malformed one.

    A run is about one office: what it leaves out is named, and is told again while it lasts.
    """
    told = [event.extra for event in woken_by.get(ALARMS, ())]
    if not told:
        return Alarm()
    known = [each.name for each in fields(Alarm)]
    found = [Alarm(**{name: str(extra.get(name, "")) for name in known}) for extra in told]
    for each, extra in zip(found, told, strict=True):
        if not (each.universe and each.target and _sound(each)):
            raise AirflowFailException(
                f"expected an event of {ALARMS.uri} with universe, target, family and session, "
                f"found {extra}"
            )
    first, *others = found
    for left in dict.fromkeys(each for each in others if each != first):
        logging.getLogger(__name__).warning("left out, to be told again: %s", left)
    return first


def _sound(one: Alarm) -> bool:
    return all(re.match(NAME, value) for value in vars(one).values() if value)
