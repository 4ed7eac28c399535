#!/usr/bin/env bash
# What a GPU has to show, in at most eight minutes: run from the repository's root on a machine that
# has one, after `make setup TORCH_BACKEND=cu130`. Its output is its log.
#   benchmarks/gpu_check.sh 2>&1 | tee gpu_check.log
set -euo pipefail

python=${PYTHON:-.venv/bin/python}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export FINPULSE_HOME="$scratch" FINPULSE_DEVICE=cuda HF_HUB_OFFLINE=1
began=$SECONDS

command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv
echo "== gpu-check"
"$python" -m training gpu-check

echo "== one epoch of fine-tuning in bfloat16, of all layers"
timeout 180 "$python" benchmarks/gpu_epoch.py
echo "== the same, sharded by FSDP on one card"
timeout 180 "$python" benchmarks/gpu_epoch.py --strategy fsdp
echo "== texts scored per second, by batch"
timeout 100 "$python" benchmarks/gpu_epoch.py --score
echo "done after $((SECONDS - began)) s"
