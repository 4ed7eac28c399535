"""The script for a machine with a GPU is whole: it runs to its end on a processor."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def check(device: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    own = {"DEVICE": device, "TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": ""}
    command = ["bash", "benchmarks/gpu_check.sh"]
    env = {k: v for k, v in os.environ.items() if not k.startswith("FINPULSE_")} | own
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)


def test_a_device_that_is_none_is_refused(tmp_path: Path) -> None:
    done = check("tpu", tmp_path)
    assert done.returncode == 2 and "expected DEVICE to be cuda or cpu, found tpu" in done.stderr


@pytest.mark.slow
def test_without_a_gpu_it_says_so_and_ends(tmp_path: Path) -> None:
    done = check("cuda", tmp_path)
    assert done.returncode == 3 and "no GPU" in done.stdout and "epoch" not in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_on_a_processor_each_of_its_steps_is_run(tmp_path: Path) -> None:
    done = check("cpu", tmp_path)
    assert done.returncode == 0, done.stderr
    for told in ("cpu alone bfloat16: ", "cpu fsdp bfloat16: ", "cpu batch 64: p50 "):
        assert told in done.stdout
    assert done.stdout.splitlines()[-1].startswith("done on cpu after ")
    assert not [*tmp_path.iterdir()], "nothing is left behind"
