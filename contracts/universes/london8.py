"""Eight of the simulated market: seven of its London exchange, and one that New York trades."""

from contracts.universe import Universe, declare, everything

LONDON = tuple(f"SIM{number:03}.XLON" for number in range(1, 8))

declare(Universe("london8", "XLON", "GBP", (*LONDON, "SIM001"), everything("simulated")))
