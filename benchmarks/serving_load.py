"""Sixty seconds of load on a predictor of two workers that serves a champion fitted beforehand.

    python benchmarks/serving_load.py [--seconds 60] [--connections 32] [--instruments 20]

A simulated market, its texts scored, two recipes trained and promoted, the newest session forecast;
Postgres and MLflow are the run's own. Then callers of one `wrk` (Debian package wrk) ask a mix: one
symbol, five, one by its path, all that is foretold of one, the explanation of a forecast. Beside
what they see: what the model itself takes for one row, server errors as the predictor counted them,
and the most memory that all its processes held.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import typer

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "fixtures"), str(ROOT / "infra" / "local")]

# A network beside a regression, and trees beside one: none of them is tuned.
RECIPES = {"trend_5": "demo_trend_5", "volatility_5": "demo_volatility"}
VIEW, HORIZON = "daily_3", 5
# Of a hundred calls; explanations are read from the database.
MIX = {"one": 60, "five": 15, "path": 15, "analysis": 5, "explain": 5}
ROWS = 500

SCRIPT = """
local calls = %s
local turn = 0
request = function()
  turn = turn %% #calls + 1
  local call = calls[turn]
  return wrk.format(call[1], call[2], {["Content-Type"] = "application/json"}, call[3])
end
done = function(summary, latency)
  local errors, bare = summary.errors, "%%q: %%f"
  local found = {calls = summary.requests, seconds = summary.duration / 1e6,
    refused = errors.status, most = latency.max / 1e3,
    broken = errors.connect + errors.read + errors.write + errors.timeout}
  for _, q in ipairs({50, 95, 99}) do found["p" .. q] = latency:percentile(q) / 1e3 end
  local words = {}
  for name, value in pairs(found) do words[#words + 1] = string.format(bare, name, value) end
  io.write("told {", table.concat(words, ", "), "}\\n")
end
"""


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def verb(*words: str) -> str:
    """Run a verb as its user would; what it prints."""
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"python -m {' '.join(words)}\n{done.stderr[-3_000:]}")
    return done.stdout.strip()


def fitted() -> dict[str, Any]:
    """The champions in office after a whole training, by their targets."""
    from simulated import load_market

    from contracts.settings import settings
    from contracts.store import open_store

    store = open_store()
    store.migrate()
    first, last, snapshot = load_market(store, VIEW)
    say(f"{settings().sim_instruments} instruments, {first} to {last}")
    place = ("--session", str(last), "--snapshot", str(snapshot))
    verb(
        "training", "train", "--recipes", ",".join(RECIPES.values()), "--first", str(first), *place
    )
    offices = {target: _in_office(store, target) for target in RECIPES}
    verb("serving", "predict", *place)
    return offices


def _in_office(store: Any, target: str) -> Any:
    """The target's champion; a challenger that lost its contest is put into office by hand."""
    import pyarrow as pa

    from contracts.champion import PROMOTED, Office, champion
    from contracts.settings import settings
    from contracts.tables import PROMOTIONS

    rows = store.query("SELECT * FROM promotions WHERE target = %s ORDER BY number", (target,))
    newest = rows.to_pylist()[-1]
    if newest["decision"] != PROMOTED:
        by_hand = {"promotion_id": f"by hand {target}", "decision": PROMOTED, "cause": "person"}
        row = {name: (newest | by_hand)[name] for name in PROMOTIONS.schema.names}
        store.record(PROMOTIONS, pa.Table.from_pylist([row], schema=PROMOTIONS.schema))
    say(f"{target}: {newest['bundle'][:12]}, {newest['decision']} by its contest")
    return champion(store, Office(settings().universe, target))


@contextmanager
def predictor(folder: Path, port: int) -> Iterator[tuple[str, int]]:
    """The URL and the process id of a predictor that is ready."""
    from predictor import Predictor, wait_for

    with (folder / "predictor.log").open("w") as log:
        command = [sys.executable, "-m", "serving", "run", "--workers", "2"]
        process = subprocess.Popen(command, stderr=log, cwd=ROOT)
    served = Predictor(f"http://127.0.0.1:{port}", process, folder / "predictor.log")
    try:
        wait_for(lambda: served.ready, 180)
        yield served.url, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def calls(url: str) -> str:
    """The mix as a table of Lua, spread evenly."""
    symbols = [row["symbol"] for row in _settled(f"{url}/assets").json()["assets"]]
    every = [*symbols, *symbols[:4]]
    ids = [
        _prediction(_settled(f"{url}/predict/{symbol}?horizon={HORIZON}").text)
        for symbol in symbols
    ]
    told = {
        "one": lambda n: ("POST", "/predict", _asked(symbol=symbols[n % len(symbols)])),
        "five": lambda n: ("POST", "/predict", _asked(symbols=every[n % len(symbols) :][:5])),
        "path": lambda n: ("GET", f"/predict/{symbols[n % len(symbols)]}?horizon={HORIZON}", ""),
        "analysis": lambda n: ("GET", f"/analysis/{symbols[n % len(symbols)]}", ""),
        "explain": lambda n: ("GET", f"/explain/{ids[n % len(ids)]}", ""),
    }
    places = sorted((n / count, kind, n) for kind, count in MIX.items() for n in range(count))
    rows = []
    for _, kind, n in places:
        method, path, body = told[kind](n)
        status = httpx.request(method, url + path, content=body or None).status_code
        if status != httpx.codes.OK:
            raise SystemExit(f"{kind}: {method} {path} {body} is answered by {status}")
        rows.append(f'{{"{method}", "{path}", [==[{body}]==]}}')
    return "{" + ", ".join(rows) + "}"


def _settled(url: str) -> httpx.Response:
    """An answer of 200, twenty times in a row: each of the workers reads the ledger by itself."""
    deadline, well = time.monotonic() + 60, 0
    while True:
        answer = httpx.get(url, headers={"Connection": "close"})
        well = well + 1 if answer.is_success else 0
        if well == 20:
            return answer
        if time.monotonic() > deadline:
            raise SystemExit(f"{url}: {answer.text}")
        time.sleep(0 if well else 0.2)


def _asked(**whom: Any) -> str:
    return json.dumps(whom | {"horizon": HORIZON})


def _prediction(answer: str) -> str:
    found = re.search(r'"prediction_id": ?"([0-9a-f]{32})"', answer)
    assert found, answer
    return found[1]


@contextmanager
def memory(pid: int) -> Iterator[list[float]]:
    """The memory of a process and its children in MB, resident (RSS) and its share of it (PSS)."""
    import psutil

    most, over = [0.0, 0.0], threading.Event()

    def look() -> None:
        parent = psutil.Process(pid)
        while not over.wait(1):
            infos = [p.memory_full_info() for p in (parent, *parent.children(recursive=True))]
            for place, kind in enumerate(("rss", "pss")):
                most[place] = max(most[place], sum(getattr(i, kind) for i in infos) / 1e6)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    yield most
    over.set()
    watcher.join()


def model_milliseconds(bundle_hash: str) -> dict[str, float]:
    """What the champion takes for one row, in a process that does nothing else."""
    from training.bundle import bundle

    loaded = bundle.load(bundle_hash)
    taken = []
    for row in range(ROWS):
        values = loaded.golden[row % len(loaded.golden)][None]
        began = time.perf_counter()
        loaded.forecast(values)
        taken.append(1e3 * (time.perf_counter() - began))
    return {f"p{q}": float(np.percentile(taken, q)) for q in (50, 95, 99)}


def errors(url: str) -> int:
    """Server errors that the predictor has counted."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    found = [x for x in lines if re.match(r'finpulse_http_requests_total\{.*status="5', x)]
    return int(sum(float(line.rpartition(" ")[2]) for line in found))


def measured(url: str, pid: int, folder: Path, seconds: int, connections: int) -> dict[str, Any]:
    """What `wrk` and the predictor say of so many seconds."""
    script = folder / "mix.lua"
    script.write_text(SCRIPT % calls(url))
    command = ["wrk", "-t1", f"-c{connections}", "-s", str(script)]
    subprocess.run([*command, "-d2s", url], capture_output=True, check=True)
    before = errors(url)
    say(f"{seconds} s of load begin")
    with memory(pid) as most:
        done = subprocess.run([*command, f"-d{seconds}s", url], capture_output=True, text=True)
    say("load ends")
    found = re.search(r"^told (.*)$", done.stdout, re.M)
    assert found, done.stdout + done.stderr
    rss, pss = most
    return json.loads(found[1]) | {"errors": errors(url) - before, "rss": rss, "pss": pss}


def rows(
    told: dict[str, Any], models: dict[str, dict[str, float]]
) -> Iterator[tuple[str, str, str, bool]]:
    """What was measured: name, value, goal, whether it is met."""
    rate = told["calls"] / told["seconds"]
    yield "calls per second", f"{rate:,.0f}", "50 to 100", rate >= 50
    yield "p50 / p95 / p99, ms", _three(told), "p95 at most 500", told["p95"] <= 500
    yield "slowest, ms", f"{told['most']:.0f}", "", True
    for name, model in models.items():
        what = f"model of {name} alone, one row, p50 / p95 / p99, ms"
        yield what, _three(model), "p95 at most 100", model["p95"] <= 100
    yield "server errors", str(told["errors"]), "0", told["errors"] == 0
    other = told["refused"] + told["broken"]
    yield "other failures", f"{other:.0f}", "0", other == 0
    held = f"{told['rss']:.0f} / {told['pss']:.0f}"
    yield "memory of all processes, RSS / PSS, MB", held, "at most 2,000", told["rss"] <= 2_000


def _three(found: dict[str, Any]) -> str:
    return " / ".join(f"{found[name]:.1f}" for name in ("p50", "p95", "p99"))


def main(
    seconds: int = 60, connections: int = 32, instruments: int = 20, sessions: int = 700
) -> None:
    """Print what was measured beside what is asked for; exit 1 where that is not met."""
    import postgres
    from mlflow_server import served

    from contracts.settings import settings

    with tempfile.TemporaryDirectory(prefix="serving-load-") as scratch, ExitStack() as stack:
        folder = Path(scratch)
        for key in [k for k in os.environ if k.startswith("FINPULSE_")]:
            del os.environ[key]
        port = postgres.free_port()
        mlflow, _ = stack.enter_context(served(folder / "mlflow"))
        os.environ |= {
            "FINPULSE_HOME": str(folder / "home"),
            "FINPULSE_DATABASE_URL": stack.enter_context(postgres.running(folder / "postgres")),
            "FINPULSE_MLFLOW_URL": mlflow,
            "FINPULSE_PREDICTOR_PORT": str(port),
            "FINPULSE_TEXT_MODEL": "minilm",
            "FINPULSE_SIM_INSTRUMENTS": str(instruments),
            "FINPULSE_SIM_SESSIONS": str(sessions),
            "FINPULSE_CONTEST_SESSIONS": str(sessions // 3),
            "OMP_NUM_THREADS": "1",
            "KERAS_BACKEND": "torch",
        }
        settings.cache_clear()
        offices = fitted()
        url, pid = stack.enter_context(predictor(folder, port))
        told = measured(url, pid, folder, seconds, connections)
        model = {name: model_milliseconds(one.bundle) for name, one in offices.items()}
    print(f"\n{told['calls']:,.0f} calls of {connections} connections in {told['seconds']:.1f} s\n")
    print("| | measured | asked for |\n|---|---|---|")
    met = True
    for name, value, goal, well in rows(told, model):
        met &= well
        print(f"| {name} | {value}{'' if well else ' (short)'} | {goal} |")
    raise SystemExit(0 if met else 1)


if __name__ == "__main__":
    typer.run(main)
