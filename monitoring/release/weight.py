"""What asking a bundle costs on this machine: processor time and memory, each in a process."""

import multiprocessing
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from contracts.expected import Expected
from monitoring.release.check import FAIL, NO_DATA, PASS, Check, within

# Rows that are asked about, the golden ones repeated; the quickest of the repeats counts, of which
# what takes long needs no more.
ROWS, REPEATS, LONG_SECONDS = 1_000, 3, 0.6
# Less than this is quick and small enough whatever the champion takes.
QUICK_MILLISECONDS, MORE_MEGABYTES = 500.0, 512.0
TIMES = 3.0
SECONDS = 60.0


class TooHeavy(Expected, RuntimeError):
    """A bundle did not answer in time, or its process ended; the message says how."""


@dataclass(frozen=True)
class Weight:
    """milliseconds: processor time for ROWS rows. megabytes: the most that its process held."""

    milliseconds: float
    megabytes: float


def weigh(bundle_hash: str) -> Weight:
    """Load a bundle in a fresh process, with its checks, and ask it; raises TooHeavy.

    So one that hangs, grows or crashes does no harm to who asks.
    """
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=_weigh, args=(theirs, bundle_hash), daemon=True
    )
    process.start()
    theirs.close()
    try:
        if not ours.poll(SECONDS):
            raise TooHeavy(f"it did not load and answer {ROWS} rows within {SECONDS:.0f} s")
        told = ours.recv()
    except EOFError:
        process.join(5)
        raise TooHeavy(f"its process ended with {process.exitcode}") from None
    finally:
        process.kill()
        process.join()
        ours.close()
    if isinstance(told, str):
        raise TooHeavy(told)
    return Weight(*told)


def _weigh(out: Connection, bundle_hash: str) -> None:
    from training.bundle import bundle

    try:
        loaded = bundle.load(bundle_hash)
        rows = np.resize(loaded.golden, (ROWS, *loaded.golden.shape[1:]))
        taken: list[float] = []
        while len(taken) < REPEATS and sum(taken) < LONG_SECONDS:
            started = time.process_time()
            loaded.forecast(rows)
            taken.append(time.process_time() - started)
        out.send((1e3 * min(taken), _most_megabytes()))
    except Exception as error:
        out.send(f"{type(error).__name__}: {' '.join(str(error).split())}")


def _most_megabytes() -> float:
    # The kernel's own count begins anew with the program; that of `getrusage` knows its parent.
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return float(line.split()[1]) / 1024


def checks(champion: str, challenger: str) -> list[Check]:
    """The challenger loads, gives its golden answers, and is no burden beside the champion.

    Where neither can be asked, an object store that is away may be why: nothing is known then.
    """
    golden, told = "golden rows", "loads, equal answers"
    theirs, its = _asked(champion), _asked(challenger)
    if isinstance(its, TooHeavy):
        result = FAIL if isinstance(theirs, Weight) else NO_DATA
        return [Check(golden, result, told, why=str(its))]
    loads = Check(golden, PASS, told)
    time_limit = f"{TIMES:g} x, or {QUICK_MILLISECONDS:g} ms"
    if isinstance(theirs, TooHeavy):
        why = f"the champion cannot be asked: {theirs}"
        return [loads, Check("computing, ms", NO_DATA, time_limit, why=why)]
    slow = f"{its.milliseconds:.0f} ms of processor for {ROWS} rows, {theirs.milliseconds:.0f} ms"
    most = max(TIMES * theirs.milliseconds, QUICK_MILLISECONDS)
    sizes = theirs.megabytes, its.megabytes, theirs.megabytes + MORE_MEGABYTES
    size_limit = f"+{MORE_MEGABYTES:g} MB"
    return [
        loads,
        within("computing, ms", theirs.milliseconds, its.milliseconds, most, time_limit, slow),
        within("memory, MB", *sizes, size_limit, f"{its.megabytes:.0f} MB at the most"),
    ]


def _asked(bundle_hash: str) -> "Weight | TooHeavy":
    try:
        return weigh(bundle_hash)
    except TooHeavy as error:
        return error
