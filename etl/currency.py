"""Units of money: a currency and its hundredth, as exchanges quote them."""

import polars as pl

# Cases differ on purpose: GBp is a penny, GBP a pound.
_HUNDREDTHS = {
    **dict.fromkeys(("GBX", "GBp", "GBpence"), "GBP"),
    **dict.fromkeys(("ZAC", "ZAc"), "ZAR"),
    **dict.fromkeys(("ILA", "ILa"), "ILS"),
    **dict.fromkeys(("USX", "USc"), "USD"),
    **dict.fromkeys(("EUX", "EUc"), "EUR"),
}


def unit(name: str) -> tuple[str, float]:
    """The currency of a unit of money, and how much of it one unit is: GBX is ("GBP", 0.01)."""
    name = name.strip()
    whole = _HUNDREDTHS.get(name) or _HUNDREDTHS.get(name.upper())
    return (whole, 0.01) if whole else (name.upper(), 1.0)


def rate(paid: str | None, quoted: str | None) -> float | None:
    """What an amount in `paid` is multiplied by to be in `quoted`; None between currencies.

    An amount whose unit nobody states is in that of its instrument.
    """
    if paid is None:
        return 1.0
    if quoted is None:
        return None
    (one, some), (other, many) = unit(paid), unit(quoted)
    return round(some / many, 9) if one == other else None


def rates(frame: pl.DataFrame, paid: str, quoted: str) -> pl.Series:
    """`rate` of each row; null between currencies."""
    pairs = frame.select(paid, quoted).unique()
    known = [rate(*pair) for pair in pairs.iter_rows()]
    rated = pairs.with_columns(pl.Series("rate", known, pl.Float64()))
    on = [paid, quoted]
    both = frame.select(on).join(rated, on=on, how="left", nulls_equal=True, maintain_order="left")
    return both["rate"]
