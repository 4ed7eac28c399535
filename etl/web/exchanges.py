"""The calendar of each exchange code that Yahoo gives, held against the time zone it gives."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.time.calendar import timezone
from etl.source import Cause, SourceError

# Where trade goes on after the main exchange's close, the calendar is one that closes no sooner:
# a bar must not be known before it is complete.
_CODES = {
    "XNYS": "NMS NGM NCM NAS NYQ NYS ASE PCX BTS NAE CXI PNK OQB OQX OEM OGM YHD SNP DJI NIM",
    "XCBF": "WCB CBO",
    "CMES": "CME CMX NYM CBT",
    "IEPA": "NYB",
    "24/7": "CCC",
    "24/5": "CCY",
    "XNSE": "NSI",
    "XBOM": "BSE",
    "XLON": "LSE IOB AQS CXE FGI",
    "XETR": "GER",
    "XDUS": "DUS FRA MUN BER HAN",
    "XHAM": "HAM",
    "XSTU": "STU",
    "XEUR": "EUX",
    "XPAR": "PAR ENX",
    "XAMS": "AMS",
    "XBRU": "BRU",
    "XLIS": "LIS",
    "XMIL": "MIL",
    "XMAD": "MCE MAD BAR",
    "XSWX": "EBS",
    "XWBO": "VIE",
    "XDUB": "ISE",
    "XCSE": "CPH",
    "XSTO": "STO",
    "XHEL": "HEL",
    "XOSL": "OSL",
    "XICE": "ICE",
    "XTAL": "TAL",
    "XRIS": "RIS",
    "XLIT": "LIT",
    "XWAR": "WSE",
    "XPRA": "PRA",
    "XBUD": "BUD",
    "XBSE": "BVB",
    "ASEX": "ATH",
    "XIST": "IST",
    "XMOS": "MCX",
    "XTAE": "TLV",
    "XSAU": "SAU",
    "XJSE": "JNB",
    "XTSE": "TOR VAN CNQ NEO",
    "XMEX": "MEX",
    "BVMF": "SAO",
    "XBUE": "BUE",
    "XSGO": "SGO",
    "XBOG": "BVC",
    "XASX": "ASX CXA",
    "XNZE": "NZE",
    "XTKS": "JPX OSA FKA SAP",
    "XKRX": "KSC KOE",
    "XHKG": "HKG",
    "XSHG": "SHH SHZ",
    "XTAI": "TAI TWO",
    "XSES": "SES",
    "XKLS": "KLS",
    "XIDX": "JKT",
    "XBKK": "SET",
    "XPHS": "PHS PHP",
    "XKAR": "KAR",
}
CALENDARS = {code: calendar for calendar, codes in _CODES.items() for code in codes.split()}
# Yahoo's zone where it is not the calendar's, whose sessions close after the day in that zone.
_ZONES = {"CCY": "Europe/London", "BVC": "America/Bogota"}
_ZONES |= dict.fromkeys(_CODES["CMES"].split(), "America/New_York")


def calendar_of(symbol: str, code: str | None, zone: str | None) -> str:
    """The calendar of a symbol's exchange; raises SourceError (unknown) for one without.

    code, zone: Yahoo's `exchangeName` and `exchangeTimezoneName`, whose clock must be that of the
    calendar: a bar would be known at another time than its close otherwise.
    """
    calendar = CALENDARS.get(code or "")
    if calendar is None:
        raise SourceError(
            Cause.UNKNOWN,
            f"{symbol} trades on Yahoo's exchange {code!r} ({zone}), of which no calendar is known "
            "(etl/web/exchanges.py lists those that are): load it from files with sessions.csv",
        )
    expected = (timezone(calendar), _ZONES.get(code or ""))
    if not any(_same_clock(zone, one) for one in expected if one):
        raise SourceError(
            Cause.UNKNOWN,
            f"{symbol} trades on Yahoo's exchange {code!r}, whose calendar {calendar} keeps the "
            f"time of {timezone(calendar)}, but Yahoo gives {zone}",
        )
    return calendar


def _same_clock(zone: str | None, other: str) -> bool:
    """Whether both zones show the same time, whatever their names, through a recent year."""
    if zone is None:
        return False
    try:
        one, two = ZoneInfo(zone), ZoneInfo(other)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    days = [date(2025, 1, 1) + timedelta(days=day) for day in range(365)]
    noons = [datetime(day.year, day.month, day.day, 12) for day in days]  # noqa: DTZ001
    return all(one.utcoffset(noon) == two.utcoffset(noon) for noon in noons)
