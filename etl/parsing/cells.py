"""Untrusted cells become values, or it is said what they are not: no cell raises.

A cell is text of a CSV, a value of JSON or a scalar of Parquet. An answer is the value (None
where the cell says nothing) and what is wrong with the cell, empty where nothing is.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

from etl.parsing.texts import broken, cleaned, garbled, seen
from etl.parsing.texts import symbol as plain_symbol

SHOWN = 200  # characters of a cell that a fault shows
NUMBER, DAY, MOMENT = "is not a number", "is not a date", "is not a time with its zone"
UNSURE = "is not a number for certain (the comma may be a decimal mark: write it without)"
# What is neither a digit nor a mark of a number as programs write it: no hex, no underscores.
_PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{2})*(?:,[0-9]{3})+(?:\.[0-9]*)?")
_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_LONGEST = 400  # characters of a number


def number(value: object) -> tuple[float | None, str]:
    """A number; NaN is none. Commas are read where one reading is possible only, as in 1,250.00."""
    if isinstance(value, bool):
        return None, NUMBER
    if isinstance(value, int | float | Decimal):
        return _real(value)
    if not isinstance(value, str):
        return None, "" if value is None else NUMBER
    text = seen(value)
    if not text:
        return None, ""
    if len(text) > _LONGEST:
        return None, NUMBER
    if _PLAIN.fullmatch(text) or _FINITE.fullmatch(text):
        return _real(float(text))
    if _GROUPED.fullmatch(text):
        certain = "." in text or text.count(",") > 1
        return (float(text.replace(",", "")), "") if certain else (None, UNSURE)
    return None, NUMBER


def _real(value: int | float | Decimal) -> tuple[float | None, str]:
    try:
        real = float(value)
    except (OverflowError, ValueError):
        return None, NUMBER
    return (None if math.isnan(real) else real), ""


_SHORT = "janfebmaraprmayjunjulaugsepoctnovdec"
_MONTHS = {_SHORT[3 * place : 3 * place + 3]: place + 1 for place in range(12)}
_ISO_DAY = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})(?:[T ]+(.+))?")
_DIGITS = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:[T ]+(.+))?")
_NAMED = re.compile(r"([0-9]{1,2})[- ]([A-Za-z]{3,9})[- ]([0-9]{4})")
_AMERICAN = re.compile(r"([A-Za-z]{3,9})\.? ([0-9]{1,2}), ([0-9]{4})")
_UTC = re.compile(r"(?<=[0-9]) ?(?:UTC|GMT|UT|Z)$", re.IGNORECASE)


def day(value: object) -> tuple[date | None, str]:
    """A date; of a time with a zone, the date in that zone; of midnight without one, its date."""
    if isinstance(value, datetime):
        midnight = value.time() == datetime.min.time()
        return (value.date(), "") if value.tzinfo or midnight else (None, DAY)
    if isinstance(value, date):
        return value, ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and 10**7 <= value < 10**8:
        value = str(value)
    if not isinstance(value, str):
        return None, "" if value is None else DAY
    text = seen(value)
    if not text:
        return None, ""
    found = _calendar_day(text)
    return found, "" if found else DAY


def _calendar_day(text: str) -> date | None:
    if match := _ISO_DAY.fullmatch(text):
        year, _, month, number_, rest = match.groups()
    elif match := _DIGITS.fullmatch(text):
        year, month, number_, rest = match.groups()
    elif match := _NAMED.fullmatch(text):
        number_, month, year, rest = *match.groups(), None
    elif match := _AMERICAN.fullmatch(text):
        month, number_, year, rest = *match.groups(), None
    else:
        return None
    place = month if month.isdigit() else _MONTHS.get(month[:3].lower(), 0)
    try:
        found = date(int(year), int(place), int(number_))
        # What is written is the date in the zone that is written, and a zone makes it certain.
        clock = (
            None
            if rest is None
            else datetime.fromisoformat(
                f"{found.isoformat()}T{_UTC.sub('+00:00', rest)}".replace(" ", "")
            )
        )
    except ValueError:
        return None
    whole = clock is None or clock.tzinfo is not None or clock.time() == datetime.min.time()
    return found if whole else None


# RFC 822 defines the American ones; the others name one offset wherever they are used.
_OFFSETS = {"UT": 0, "UTC": 0, "GMT": 0, "Z": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5}
_OFFSETS |= {"MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2}
_OFFSETS |= {"EET": 2, "EEST": 3, "JST": 9, "KST": 9, "HKT": 8, "SGT": 8, "AEST": 10, "AEDT": 11}
_MAIL = re.compile(
    r"(?:[A-Za-z]{3,9},? )?([0-9]{1,2}) ([A-Za-z]{3,9}) ([0-9]{2,4})"
    r" ([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))? ?(\S+?)?(?: \([^)]*\))?"
)
_ZONE = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})")


def moment(value: object) -> tuple[datetime | None, str]:
    """A time in UTC from ISO 8601, from the form of mails and feeds, or from an aware datetime.

    A zone's name is taken where it names one offset: `BST` and `IST` name several.
    """
    if isinstance(value, str):
        text = seen(value)
        if not text:
            return None, ""
        if match := _MAIL.fullmatch(text):
            return _mailed(match)
        try:
            value = datetime.fromisoformat(_UTC.sub("+00:00", text))
        except (ValueError, OverflowError):
            return None, MOMENT
    if value is None:
        return None, ""
    if not isinstance(value, datetime) or value.tzinfo is None:
        return None, MOMENT
    return _in_utc(value)


def _in_utc(value: datetime) -> tuple[datetime | None, str]:
    try:
        found = value.astimezone(UTC)
    except (OverflowError, ValueError):
        return None, MOMENT
    # Further on a day is added or taken away.
    inside = 1 < found.year < 9999
    return (found, "") if inside else (None, MOMENT)


def _mailed(match: re.Match[str]) -> tuple[datetime | None, str]:
    number_, month, year, hour, minute, second, named = match.groups()
    zone = _zone(named or "")
    if zone is None:
        several = f" ({named} is not one zone: write an offset such as +0100)" if named else ""
        return None, MOMENT + several
    full = int(year) + (0 if len(year) > 2 else 2000 if int(year) < 50 else 1900)
    clock = (int(hour), int(minute), int(second or 0))
    try:
        return _in_utc(
            datetime(full, _MONTHS.get(month[:3].lower(), 0), int(number_), *clock, tzinfo=zone)
        )
    except ValueError:
        return None, MOMENT


def _zone(name: str) -> timezone | None:
    if match := _ZONE.fullmatch(name):
        sign, hours, minutes = match.groups()
        span = timedelta(hours=int(hours), minutes=int(minutes))
        if span >= timedelta(days=1) or int(minutes) > 59:
            return None
        return timezone(-span if sign == "-" else span)
    hours_ = _OFFSETS.get(name.upper())
    return None if hours_ is None else timezone(timedelta(hours=hours_))


# Seconds and milliseconds since 1970, of 1990 to 2100: the two never overlap.
_SECONDS, _MILLISECONDS = (6.3e8, 4.2e9), (6.3e11, 4.2e12)


def since_1970(value: object) -> tuple[datetime | None, str]:
    """A time in UTC from seconds or milliseconds since 1970."""
    if value is None:
        return None, ""
    found, wrong = number(value)
    if wrong or found is None or not isinstance(value, int | float):
        return None, "is not in seconds since 1970"
    for (low, high), unit in ((_SECONDS, 1), (_MILLISECONDS, 1000)):
        if low <= found <= high:
            return datetime.fromtimestamp(found / unit, UTC), ""
    return None, "is not in seconds since 1970"


def text(value: object) -> tuple[str | None, str]:
    """A text to be read, cleaned; None where nothing is left of it."""
    return _words(value, cleaned, broken)


def symbol(value: object) -> tuple[str | None, str]:
    """A symbol in capitals; None where nothing is left of it."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = shown(value)
    return _words(value, plain_symbol, garbled)


def name(value: object) -> tuple[str | None, str]:
    """What something is called, or an address: as it was written, without what nobody sees."""
    return _words(value, seen, garbled)


def identity(value: object) -> tuple[str | None, str]:
    """A provider's own name of a thing: text or a number, 0 and 7.0 too."""
    if isinstance(value, float) and math.isnan(value):
        return None, ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, int | float):
        return shown(value), ""
    return name(value)


def _words(
    value: object, clean: Callable[[str], str], wrong: Callable[[str], str | None]
) -> tuple[str | None, str]:
    if value is None:
        return None, ""
    if not isinstance(value, str):
        return None, "is no text"
    if found := broken(value):
        return None, found
    kept = clean(value)
    found = wrong(kept)
    return (None, found) if found else (kept or None, "")


def shown(value: object, most: int = SHOWN) -> str:
    """The first `most` characters of a cell, whatever it is, as text that can be kept."""
    try:
        said = str(value)[:most]
    except ValueError:  # an integer of too many digits
        said = f"an integer of {value.bit_length()} bits" if isinstance(value, int) else "?"
    # Postgres takes no null character, not in JSON either.
    return said.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
