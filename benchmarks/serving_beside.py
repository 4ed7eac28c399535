"""`POST /predict` of this checkout beside another one's, asked in turns in one run.

    git worktree add ../before <commit>
    python benchmarks/serving_beside.py ../before [--seconds 5] [--rounds 5] [--connections 64]

Each is one worker with a database of its own on one Postgres, a champion of three symbols, logs,
metrics and recorded calls; asked by `wrk` (Debian package wrk) with one thread. Time per call is
the reciprocal of the rate; the ratio is that of the medians, and of each pair of turns. Beside it
stands the processor time per call, which other work on the machine moves less.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import typer

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "fixtures"), str(ROOT / "infra" / "local")]
sys.path.insert(0, str(Path(__file__).resolve().parent))

from serving_speed import Peer, ask  # noqa: E402

CROWN = """
import sys
sys.path[:0] = ["tests/fixtures", "infra/local"]
from contracts.store import open_store
from market import FLAT, Market
open_store().migrate()
Market().crown(open_store(), FLAT, 1)
"""


@contextmanager
def predictor(checkout: Path, name: str, database: str, folder: Path) -> Iterator[Peer]:
    """The predictor of a checkout, ready."""
    import postgres
    from predictor import Predictor, wait_for

    port = postgres.free_port()
    environment = os.environ | {
        "FINPULSE_HOME": str(folder / name),
        "FINPULSE_DATABASE_URL": database,
        "FINPULSE_PREDICTOR_PORT": str(port),
        "PYTHONPATH": str(checkout),
    }
    where = {"cwd": checkout, "env": environment}
    subprocess.run([sys.executable, "-c", CROWN], check=True, **where)  # type: ignore[call-overload]
    log = folder / f"{name}.log"
    with log.open("w") as file:
        command = [sys.executable, "-m", "serving", "run", "--workers", "1"]
        process = subprocess.Popen(command, stderr=file, **where)  # type: ignore[call-overload]
    served = Predictor(f"http://127.0.0.1:{port}", process, log)
    try:
        wait_for(lambda: served.ready, 180)
        yield Peer(name, f"{served.url}/predict", {"symbol": "SIM001"}, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def processor_seconds(peer: Peer) -> float:
    """What the process has used: it says more than the clock where others use the machine too."""
    import psutil

    used = psutil.Process(peer.pid).cpu_times()
    return used.user + used.system


def main(other: Path, seconds: int = 5, rounds: int = 5, connections: int = 64) -> None:
    """Print rates, tails and the ratio of the times per call."""
    import postgres

    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        url = stack.enter_context(postgres.running(folder))
        peers = []
        for name, checkout in (("before", other.resolve()), ("now", ROOT)):
            postgres.create_database(url, name)
            database = url.rsplit("/", 1)[0] + f"/{name}"
            peers.append(stack.enter_context(predictor(checkout, name, database, folder)))
        found: dict[str, list[tuple[float, float]]] = {peer.name: [] for peer in peers}
        for peer in peers:
            ask(peer, folder, 2, connections)
        spent: dict[str, list[float]] = {peer.name: [] for peer in peers}
        for turn in range(rounds):
            for peer in peers if turn % 2 else reversed(peers):
                began = processor_seconds(peer)
                found[peer.name].append(ask(peer, folder, seconds, connections))
                calls = found[peer.name][-1][0] * seconds
                spent[peer.name].append((processor_seconds(peer) - began) / calls)
    rates = {name: [rate for rate, _ in pairs] for name, pairs in found.items()}
    for name, pairs in found.items():
        rate, tail = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"{name:7} {rate:8.0f} requests/s   p99 {tail:7.1f} ms")
    cost = {name: statistics.median(each) for name, each in spent.items()}
    print(
        f"processor time per call: {cost['before'] * 1e6:.1f} and {cost['now'] * 1e6:.1f} us, ",
        end="",
    )
    print(f"now / before {cost['now'] / cost['before']:.3f}")
    each = [b / n for b, n in zip(rates["before"], rates["now"], strict=True)]
    whole = statistics.median(rates["before"]) / statistics.median(rates["now"])
    print(f"time per call, now / before: {whole:.3f} of the medians", end="; ")
    print(f"by turns {', '.join(f'{ratio:.3f}' for ratio in each)}, median ", end="")
    print(f"{statistics.median(each):.3f}")


if __name__ == "__main__":
    typer.run(main)
