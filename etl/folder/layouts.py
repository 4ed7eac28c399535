"""Layouts of price files in common use: what their columns are called, and what they mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# Ours, and what files call it; the first that is there is taken.
_PRICES = {name: (name,) for name in ("open", "high", "low", "close", "volume")}
_DATES = ("session", "date", "datetime", "timestamp", "__index_level_0__")
_OWN = {
    "symbol": ("symbol", "ticker"),
    "session": _DATES,
    **_PRICES,
    **{name: (name,) for name in ("event_time", "known_at", "interval", "adjustment")},
}


@dataclass(frozen=True)
class Layout:
    """A layout of files that hold daily bars.

    marks: columns by which it is known (small letters, blanks as `_`). columns: ours -> what it
    calls them. adjustment: what was done to its prices. dividend, split: its columns of these,
    and `no_split`, what stands there on other days. series: a column of which `boards` alone
    are the share itself. calendar, currency: where all its files are of one exchange. note: what
    is taken for granted and said.
    """

    name: str
    marks: frozenset[str]
    adjustment: str = "none"
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dividend: str = ""
    split: str = ""
    series: str = ""
    calendar: str | None = None
    currency: str | None = None
    note: str = ""

    def called(self, header: list[str]) -> dict[str, str]:
        """Ours -> the file's own name, of the columns that the file has."""
        names = {**_OWN, **self.columns}
        found = {
            ours: [name for name in theirs if name in header] for ours, theirs in names.items()
        }
        return {ours: there[0] for ours, there in found.items() if there}


BOARDS = ("EQ", "BE", "BZ")  # of NSE: rolling and trade-for-trade settlement of the share itself
_NSE = {"calendar": "XNSE", "currency": "INR"}


def _layout(name: str, marks: str, adjustment: str = "none", **more: object) -> Layout:
    return Layout(name, frozenset(marks.split()), adjustment, **more)  # type: ignore[arg-type]


# The first whose marks a header has all of is its layout.
LAYOUTS = (
    _layout("Quandl WIKI", "adj_open adj_close", dividend="ex-dividend", split="split_ratio"),
    _layout(
        "Yahoo as traded but for splits (yfinance)",
        "adj_close",
        "split",
        dividend="dividends",
        split="stock_splits",
        note="`Adj Close` beside `Close`: prices are taken as split-adjusted",
    ),
    _layout(
        "Yahoo adjusted (yfinance)",
        "dividends stock_splits",
        "split_dividend",
        dividend="dividends",
        split="stock_splits",
        note="no `Adj Close`: prices are taken as adjusted for splits and dividends",
    ),
    _layout(
        "Alpha Vantage adjusted",
        "timestamp adjusted_close",
        dividend="dividend_amount",
        split="split_coefficient",
    ),
    _layout(
        "Stooq",
        "ticker per date vol",
        "split_dividend",
        columns={"volume": ("vol",), "interval": ("per",)},
        note="prices of Stooq are taken as adjusted for splits and dividends",
    ),
    _layout(
        "NSE bhavcopy, UDiFF",
        "tckrsymb sctysrs clspric",
        series="sctysrs",
        columns={
            "symbol": ("tckrsymb",),
            "session": ("traddt",),
            "open": ("opnpric",),
            "high": ("hghpric",),
            "low": ("lwpric",),
            "close": ("clspric",),
            "volume": ("ttltradgvol",),
        },
        **_NSE,
    ),
    _layout(
        "NSE bhavcopy",
        "symbol series tottrdqty timestamp",
        series="series",
        columns={"volume": ("tottrdqty",)},
        **_NSE,
    ),
    _layout(
        "NSE bhavcopy with deliveries",
        "symbol series date1 ttl_trd_qnty",
        series="series",
        columns={
            "session": ("date1",),
            "volume": ("ttl_trd_qnty",),
            **{name: (f"{name}_price",) for name in ("open", "high", "low", "close")},
        },
        **_NSE,
    ),
    _layout("Alpha Vantage", "timestamp open close", note="prices are taken as traded"),
    _layout("csvdir", "date dividend split", dividend="dividend", split="split"),
    _layout("ours", "session"),
    _layout("ours", "event_time"),
    _layout(
        "date, open, high, low, close, volume",
        "open high low close volume",
        note="nothing says whether prices are adjusted: they are taken as traded (a column "
        "`adjustment` would say it)",
    ),
)
NEEDED = ("open", "high", "low", "close", "volume")


def layout_of(header: list[str]) -> Layout | None:
    """The layout of a file with that header; None where it holds no prices."""
    there = set(header)
    if "adjustment" in there:
        there -= {"adj_close", "dividends", "stock_splits"}
    for layout in LAYOUTS:
        called = layout.called(header)
        dated = "session" in called or "event_time" in called
        if layout.marks <= there and dated and all(name in called for name in NEEDED):
            return layout
    return None
