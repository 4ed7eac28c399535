"""The comparison's features as qlib expressions; runs in an environment of its own.

    python features_qlib.py speed|save FOLDER KERNELS [FILE]

FOLDER: bars in qlib's format, written by `write_bars`. The last line is JSON.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

WINDOWS = (5, 10, 20, 30, 60)


def expressions() -> list[str]:
    """In the order of `features_peers.NAMES`."""
    o, h, l, c, v, e = "$open", "$high", "$low", "$close", "$volume", "1e-12"  # noqa: E741
    span, top, bottom = f"({h}-{l}+{e})", f"Greater({o}, {c})", f"Less({o}, {c})"
    d = f"({c}-Ref({c}, 1))"
    up, down = f"Greater({d}, 0)", f"Greater(-1*{d}, 0)"
    out = [f"({c}-{o})/{o}", f"({h}-{l})/{o}", f"({c}-{o})/{span}"]
    out += [f"({h}-{top})/{o}", f"({h}-{top})/{span}", f"({bottom}-{l})/{o}"]
    out += [f"({bottom}-{l})/{span}", f"(2*{c}-{h}-{l})/{o}", f"(2*{c}-{h}-{l})/{span}"]
    out += [f"{o}/{c}", f"{h}/{c}", f"{l}/{c}"]
    rolling = (
        lambda w: f"Ref({c}, {w})/{c}",
        lambda w: f"Mean({c}, {w})/{c}",
        lambda w: f"Std({c}, {w})/{c}",
        lambda w: f"Slope({c}, {w})/{c}",
        lambda w: f"Max({h}, {w})/{c}",
        lambda w: f"Min({l}, {w})/{c}",
        lambda w: f"Quantile({c}, {w}, 0.8)/{c}",
        lambda w: f"Quantile({c}, {w}, 0.2)/{c}",
        lambda w: f"({c}-Min({l}, {w}))/(Max({h}, {w})-Min({l}, {w})+{e})",
        lambda w: f"Corr({c}, Log({v}+1), {w})",
        lambda w: f"Mean({c}>Ref({c}, 1), {w})",
        lambda w: f"Sum({up}, {w})/(Sum({up}, {w})+Sum({down}, {w})+{e})",
        lambda w: f"Sum({down}, {w})/(Sum({up}, {w})+Sum({down}, {w})+{e})",
        lambda w: f"Mean({v}, {w})/({v}+{e})",
        lambda w: f"Std({v}, {w})/({v}+{e})",
    )
    out += [rule(w) for rule in rolling for w in WINDOWS]
    line = f"(EMA({c}, 12)-EMA({c}, 26))"
    out += [f"100*Mean({up}, 14)/(Mean({up}, 14)+Mean({down}, 14)+{e})", f"{line}/{c}"]
    out += [f"EMA({line}, 9)/{c}", f"{line}/{c}-EMA({line}, 9)/{c}"]
    band = f"Mean({c}, 20)", f"Std({c}, 20)"
    out += [f"({band[0]}+2*{band[1]})/{c}", f"({band[0]}-2*{band[1]})/{c}"]
    out += [f"4*{band[1]}/{band[0]}"]
    return out + [f"Ref({c}/Ref({c}, 1)-1, {k})" for k in (1, 2, 3, 5, 10)]


def write_bars(folder: Path, symbols: list[str], days: list[str], columns: dict[str, Any]) -> None:
    """qlib's own format: a calendar, a list of instruments, a float32 file per column."""
    import numpy as np

    for name in ("calendars", "instruments", "features"):
        (folder / name).mkdir(parents=True)
    (folder / "calendars" / "day.txt").write_text("\n".join(days) + "\n")
    lines = [f"{symbol}\t{days[0]}\t{days[-1]}" for symbol in symbols]
    (folder / "instruments" / "all.txt").write_text("\n".join(lines) + "\n")
    for k, symbol in enumerate(symbols):
        home = folder / "features" / symbol.lower()
        home.mkdir()
        rows = slice(k * len(days), (k + 1) * len(days))
        for name, values in columns.items():
            np.append(np.float32(0), values[rows]).astype("<f4").tofile(home / f"{name}.day.bin")


def run() -> Any:
    """All features of all symbols, as a frame sorted by symbol and date."""
    from qlib.data import D

    return D.features(D.instruments("all"), expressions(), freq="day")


def main() -> None:
    """Print the seconds of the first run, import and start included, and of the one after it."""
    verb, folder, kernels = sys.argv[1], sys.argv[2], int(sys.argv[3])
    start = time.perf_counter()
    import qlib

    qlib.init(provider_uri=folder, kernels=kernels, logging_level=40)
    found = run()
    first = time.perf_counter() - start
    if verb == "save":
        import numpy as np

        names = sys.argv[5].split(",")
        columns = found.sort_index().to_numpy(float).T
        np.savez(sys.argv[4], **dict(zip(names, columns, strict=True)))
    start = time.perf_counter()
    del found
    if verb == "speed":
        run()
    print(json.dumps({"fresh": first, "hot": time.perf_counter() - start}), flush=True)


if __name__ == "__main__":
    main()
