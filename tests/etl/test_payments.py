"""Several actions of a day, withdrawn ones and those in another unit of money become one fact."""

from typing import Any

import pytest

DAY = "2024-07-03"


def stated(folder: Any, header: str, *lines: str) -> None:
    """Write actions.csv anew; the listing says that AAA is quoted in pounds."""
    (folder.path / "actions.csv").write_text("\n".join([header, *lines]) + "\n")
    (folder.path / "instruments.csv").write_text("symbol,currency\nAAA,GBP\nBBB,GBX\n")


def values(found: Any) -> list[tuple[str, str, float]]:
    rows = [(a["instrument_id"], a["kind"], a["value"]) for a in found.good["actions"]]
    return sorted(rows)


PLAIN = "symbol,ex_date,kind,value"


@pytest.mark.parametrize("order", [1, -1])
def test_dividends_of_a_day_are_summed(folder: Any, load_raw: Any, order: int) -> None:
    lines = [f"AAA,{DAY},dividend,0.25", f"AAA,{DAY},dividend,0.05"][::order]
    stated(folder, PLAIN, *lines, f"BBB,{DAY},dividend,0.5")
    found = load_raw("files")
    assert values(found) == [("AAA", "dividend", 0.3), ("BBB", "dividend", 0.5)]
    assert found.reasons == []


def test_splits_of_a_day_are_multiplied(folder: Any, load_raw: Any) -> None:
    stated(folder, PLAIN, f"AAA,{DAY},split,1.2", f"AAA,{DAY},split,0.9")
    assert values(load_raw("files")) == [("AAA", "split", 1.08)]


def test_equal_rows_are_one_unless_their_ids_differ(folder: Any, load_raw: Any) -> None:
    line = f"AAA,{DAY},dividend,0.25"
    stated(folder, f"{PLAIN},id", f"{line},", f"{line},")
    found = load_raw("files")
    assert values(found) == [("AAA", "dividend", 0.25)]
    assert found.reasons == ["repeats an earlier row"]
    stated(folder, f"{PLAIN},id", f"{line},a", f"{line},b")
    assert values(load_raw("files")) == [("AAA", "dividend", 0.5)]
    stated(folder, f"{PLAIN},id", f"{line},a", f"AAA,{DAY},dividend,0.5,a")
    assert load_raw("files").reasons == ["differs from an earlier row of the same key"]


@pytest.mark.parametrize(
    ("rows", "left", "reasons"),
    [
        (["0.25,,", "0.5,,", "0.5,,true"], 0.25, []),
        (["0.25,,", "0.25,,true"], 0.0, []),
        (["0.25,,true"], 0.0, []),
        (["0.25,a,", "0.25,b,", "0.25,b,yes"], 0.25, []),
        (["0.25,,", "0.5,,no"], 0.75, []),
        (["0.25,,", "1.5,,true"], 0.25, ["withdraws what no row of its day states"]),
        (["0.25,,", "1.5,,perhaps"], 0.25, ["withdrawn is neither true nor false: perhaps"]),
    ],
)
def test_what_is_withdrawn_is_not_paid(
    folder: Any, load_raw: Any, rows: list[str], left: float, reasons: list[str]
) -> None:
    lines = [f"AAA,{DAY},dividend,{row}" for row in rows]
    stated(folder, f"{PLAIN},id,withdrawn", *lines)
    found = load_raw("files")
    assert (values(found), found.reasons) == ([("AAA", "dividend", left)], reasons)


def test_a_withdrawn_split_is_one_of_one(folder: Any, load_raw: Any) -> None:
    lines = (f"AAA,{DAY},split,2,", f"AAA,{DAY},split,2,true")
    stated(folder, f"{PLAIN},withdrawn", *lines)
    assert values(load_raw("files")) == [("AAA", "split", 1.0)]


def test_a_split_that_was_withdrawn_is_no_split_of_the_bars(folder: Any, load_raw: Any) -> None:
    early, later = "2024-06-01T00:00:00Z", "2024-06-20T00:00:00Z"
    split = f"AAA,{DAY},split,2"
    stated(folder, f"{PLAIN},withdrawn,known_at", f"{split},true,{later}", f"{split},,{early}")
    found = load_raw("files")
    assert [a["value"] for a in found.good["actions"]] == [1.0, 2.0]
    assert found.reasons == []


def test_later_known_rows_restate_and_withdraw(folder: Any, load_raw: Any) -> None:
    early, later = "2024-06-01T00:00:00Z", "2024-06-20T00:00:00Z"
    stated(
        folder,
        f"{PLAIN},id,withdrawn,known_at",
        f"AAA,{DAY},dividend,0.25,a,,{early}",
        f"AAA,{DAY},dividend,0.5,b,,{early}",
        f"AAA,{DAY},dividend,0.3,a,,{later}",
        f"BBB,{DAY},dividend,0.5,,,{early}",
        f"BBB,{DAY},dividend,0.5,,true,{later}",
    )
    found = [
        (a["instrument_id"], a["known_at"].day, a["value"])
        for a in load_raw("files").good["actions"]
    ]
    assert sorted(found) == [("AAA", 1, 0.75), ("AAA", 20, 0.8), ("BBB", 1, 0.5), ("BBB", 20, 0.0)]


@pytest.mark.parametrize(
    ("symbol", "currency", "value"),
    [
        *(("AAA", name, 0.25) for name in ("GBX", "GBp", "gbx")),
        ("AAA", "gbp", 25.0),
        ("AAA", "GBP", 25.0),
        ("AAA", "", 25.0),
        ("BBB", "GBP", 2500.0),
        ("BBB", "GBX", 25.0),
    ],
)
def test_a_dividend_is_kept_in_the_unit_of_its_instrument(
    folder: Any, load_raw: Any, symbol: str, currency: str, value: float
) -> None:
    text = (folder.path / "bars.csv").read_text().splitlines()
    dear = [f"{x.split(',')[0]},{x.split(',')[1]},9e4,9e4,9e4,9e4,1" for x in text[1:]]
    (folder.path / "bars.csv").write_text("\n".join([text[0], *dear]) + "\n")
    stated(folder, f"{PLAIN},currency", f"{symbol},{DAY},dividend,25,{currency}")
    assert values(load_raw("files")) == [(symbol, "dividend", value)]


@pytest.mark.parametrize("currency", ["USD", "ZAc", "EUR", "???"])
def test_a_dividend_in_another_currency_is_refused(
    folder: Any, load_raw: Any, currency: str
) -> None:
    stated(folder, f"{PLAIN},currency", f"AAA,{DAY},dividend,0.25,{currency}")
    found = load_raw("files")
    assert found.reasons == ["dividend is in another currency than its instrument"]
