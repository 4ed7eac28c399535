"""`POST /predict` of one symbol beside `mlflow models serve` of the same bundle and a bare route.

    python benchmarks/serving_speed.py [--seconds 10] [--rounds 3] [--connections 64]
        [--profiled]

Each is one worker, asked in turns by `wrk` (Debian package wrk) in one run; requests per second are
medians over the rounds, p99 is wrk's. The predictor runs as it is used: Postgres, a champion of 100
trees, logs, metrics, calls recorded. The bare route is FastAPI's hello world on the same uvicorn.
`--profiled` asks the predictor once more and prints where its time goes (py-spy).
"""

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import typer

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "fixtures"), str(ROOT / "infra" / "local")]

HELLO = """
from fastapi import FastAPI
app = FastAPI()
@app.post("/")
async def hello() -> dict[str, str]:
    return {"hello": "world"}
"""


@dataclass(frozen=True)
class Peer:
    """A server under test: where it listens, what it is sent, its process."""

    name: str
    url: str
    body: dict[str, Any]
    pid: int


def bundle() -> Any:
    """A bundle of 100 trees over the view of the market's champion, trained on noise."""
    from dataclasses import replace

    from market import MANIFEST
    from xgboost import DMatrix, train

    from training.bundle.bundle import save

    random, count = np.random.default_rng(0), len(MANIFEST.features)
    values = random.normal(size=(5_000, count)).astype(np.float32)
    options = {"objective": "multi:softprob", "num_class": 3, "max_depth": 6, "nthread": 1}
    booster = train(options, DMatrix(values, random.integers(0, 3, 5_000)), 100)
    return save(
        replace(MANIFEST, expert="xgboost"),
        {"model.ubj": bytes(booster.save_raw("ubj"))},
        values[:100],
    )


@contextmanager
def server(name: str, command: list[str], url: str, folder: Path) -> Iterator[int]:
    """A server process that answers; ended with its children."""
    began = time.monotonic()
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
    try:
        while True:
            try:
                httpx.get(url, timeout=2).raise_for_status()
                break
            except httpx.HTTPError:
                if process.poll() is not None or time.monotonic() - began > 180:
                    raise SystemExit((folder / f"{name}.log").read_text()[-3_000:]) from None
                time.sleep(0.1)
        print(f"{name} ready after {time.monotonic() - began:.1f} s")
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def save_for_mlflow(found: Any, folder: Path) -> Path:
    """The bundle as an MLflow model in a folder, as a registered one is."""
    import mlflow

    from training.bundle.bundle import copy_to
    from training.bundle.mlflow_model import columns

    artifact, code, model = folder / found.hash, folder / "model.py", folder / "model"
    artifact.mkdir()
    copy_to(artifact, found)
    code.write_text("from training.served import set_bundle_model\nset_bundle_model()\n")
    names = columns(found.manifest)
    schema = mlflow.types.Schema([mlflow.types.ColSpec("float", name) for name in names])
    mlflow.pyfunc.save_model(
        str(model),
        python_model=str(code),
        artifacts={"bundle": str(artifact)},
        signature=mlflow.models.ModelSignature(inputs=schema),
        pip_requirements=["xgboost"],
    )
    return model


def peers(stack: ExitStack, folder: Path) -> list[Peer]:
    """The three servers, started."""
    import postgres
    from market import Market

    from contracts.settings import settings
    from contracts.store import Store
    from training.bundle.mlflow_model import columns

    ports = [postgres.free_port() for _ in range(3)]
    database = stack.enter_context(postgres.running(folder))
    os.environ |= {
        "FINPULSE_HOME": str(folder / "home"),
        "FINPULSE_DATABASE_URL": database,
        "FINPULSE_PREDICTOR_PORT": str(ports[0]),
        "OMP_NUM_THREADS": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # `mlflow models serve` looks for uvicorn there.
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    settings.cache_clear()
    store, market, found = Store(database), Market(), bundle()
    store.migrate()
    market.forecast(store, found, 1, market.sessions[-3:])
    market.promote(store, market.champion(found, 1))
    row = [0.1] * len(columns(found.manifest))
    frame = {"columns": columns(found.manifest), "data": [row]}
    (folder / "hello.py").write_text(HELLO)
    own = [sys.executable, "-m", "serving", "run", "--workers", "1"]
    flow = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local", "-w", "1"]
    flow += ["-m", str(save_for_mlflow(found, folder)), "-p", str(ports[1])]
    bare = [sys.executable, "-m", "uvicorn", "hello:app", "--loop", "uvloop", "--http", "httptools"]
    bare += ["--no-access-log", "--port", str(ports[2])]
    told = [
        ("predictor", own, "/health/ready", "/predict", {"symbol": "SIM001"}),
        ("mlflow", flow, "/ping", "/invocations", {"dataframe_split": frame}),
        ("hello", bare, "/docs", "/", {}),
    ]
    made = []
    for (name, command, probe, path, body), port in zip(told, ports, strict=True):
        url = f"http://127.0.0.1:{port}"
        pid = stack.enter_context(server(name, command, url + probe, folder))
        made.append(Peer(name, url + path, body, pid))
    return made


def ask(peer: Peer, folder: Path, seconds: int, connections: int) -> tuple[float, float]:
    """Requests per second and p99 in milliseconds, by wrk with one thread."""
    script = folder / f"{peer.name}.lua"
    script.write_text(
        f"wrk.method = 'POST'\nwrk.body = [==[{json.dumps(peer.body)}]==]\n"
        "wrk.headers['Content-Type'] = 'application/json'\n"
    )
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script)]
    told = subprocess.run([*command, peer.url], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told:
        answer = httpx.post(peer.url, json=peer.body).text[:500]
        raise SystemExit(f"{peer.name} refused calls: {answer}\n{told}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1])  # type: ignore[index]
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", told).groups()  # type: ignore[union-attr]
    return rate, float(number) * {"us": 0.001, "ms": 1, "s": 1_000}[unit]


def profile(peer: Peer, folder: Path, seconds: int, connections: int) -> None:
    """Print where its time goes while it is asked: shares of the samples that py-spy took."""
    raw = folder / "profile.txt"
    options = ["-p", str(peer.pid), "-d", str(seconds), "-o", str(raw), "-f", "raw", "-F", "-s"]
    with subprocess.Popen(["py-spy", "record", *options], stdout=subprocess.DEVNULL) as spy:
        ask(peer, folder, seconds + 2, connections)
    assert spy.returncode == 0
    shares = Counter[str]()
    for line in raw.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        if "Runner.run " in stack:  # the event loop; other threads wait
            shares[_layer(stack.split(";")[-1])] += int(count)
    print("\n| where | share of the event loop's time |\n|---|---|")
    for name, count in shares.most_common(20):
        print(f"| {name} | {count / shares.total():.1%} |")


def _layer(frame: str) -> str:
    """Our files by name, of others the package: `send (uvicorn/protocols/http/impl.py:463)`."""
    file = frame.rpartition("(")[2].partition(":")[0].rpartition("site-packages/")[2]
    ours = file.split("/")[0] in ("serving", "contracts", "training")
    return file if ours else file.split("/")[0].removesuffix(".py")


def main(seconds: int = 10, rounds: int = 3, connections: int = 64, profiled: bool = False) -> None:
    """Print rates, tails and ratios."""
    import psutil

    for tool in ("wrk", *(["py-spy"] if profiled else [])):
        if not shutil.which(tool):
            raise SystemExit(f"{tool} is missing: install it with apt-get (wrk) or pip (py-spy)")
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        running = peers(stack, folder)
        found: dict[str, list[tuple[float, float]]] = {peer.name: [] for peer in running}
        for peer in running:
            ask(peer, folder, 2, connections)
        for _ in range(rounds):
            for peer in running:
                found[peer.name].append(ask(peer, folder, seconds, connections))
        middle = {
            name: tuple(statistics.median(column) for column in zip(*pairs, strict=True))
            for name, pairs in found.items()
        }
        for name, (rate, tail) in middle.items():
            print(f"{name:10} {rate:8.0f} requests/s   p99 {tail:7.1f} ms")
        (own, tail), (flow, their), (bare, _) = (middle[peer.name] for peer in running)
        print(f"predictor / mlflow  {own / flow:5.1f} times (at least 8; dream 15)")
        print(f"predictor / hello   {own / bare:5.2f} (at least 0.5)")
        print(f"p99 / mlflow's      {tail / their:5.2f} (at most 0.25)")
        memory = psutil.Process(running[0].pid).memory_full_info().pss
        print(f"predictor's memory  {memory / 2**20:5.0f} MiB (PSS, at most 1024)")
        if profiled:
            profile(running[0], folder, seconds, connections)


if __name__ == "__main__":
    typer.run(main)
