"""Which symbols a provider on the web is asked for."""

from contracts.settings import Settings
from etl.parsing.cells import symbol
from etl.source import Cause, SourceError


def asked_symbols(settings: Settings) -> list[str]:
    """The settings' symbols in capitals, each once; raises SourceError when none are set."""
    read = [symbol(part) for part in settings.symbols.split(",")]
    strange = [f"symbol {wrong}" for _, wrong in read if wrong]
    if strange:
        raise SourceError(
            Cause.EMPTY, f"FINPULSE_SYMBOLS: {strange[0]}: name some, as in AAPL,MSFT"
        )
    symbols = [found for found, _ in read if found]
    if not symbols:
        raise SourceError(Cause.EMPTY, "FINPULSE_SYMBOLS is unset: name some, as in AAPL,MSFT")
    return list(dict.fromkeys(symbols))
