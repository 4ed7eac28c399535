"""Which symbols a provider on the web is asked for."""

from contracts.settings import Settings
from etl.source import Cause, SourceError


def asked_symbols(settings: Settings) -> list[str]:
    """The settings' symbols in capitals, each once; raises SourceError when none are set."""
    symbols = [part.strip().upper() for part in settings.symbols.split(",") if part.strip()]
    if not symbols:
        raise SourceError(Cause.EMPTY, "FINPULSE_SYMBOLS is unset: name some, as in AAPL,MSFT")
    return list(dict.fromkeys(symbols))
