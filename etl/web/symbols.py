"""Which symbols a provider on the web is asked for."""

from etl.parsing.cells import symbol
from etl.source import Cause, Request, SourceError


def asked_symbols(request: Request) -> list[str]:
    """The universe's symbols, or the settings', in capitals, each once; raises SourceError."""
    named = request.universe.symbols or request.settings.symbols.split(",")
    read = [symbol(part) for part in named]
    strange = [f"symbol {wrong}" for _, wrong in read if wrong]
    if strange:
        raise SourceError(
            Cause.EMPTY, f"FINPULSE_SYMBOLS: {strange[0]}: name some, as in AAPL,MSFT"
        )
    symbols = [found for found, _ in read if found]
    if not symbols:
        raise SourceError(Cause.EMPTY, "FINPULSE_SYMBOLS is unset: name some, as in AAPL,MSFT")
    return list(dict.fromkeys(symbols))
