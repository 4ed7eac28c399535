#!/usr/bin/env bash
# What a GPU has to show, in at most eight minutes: run from the repository's root on a machine that
# has one, after `make setup TORCH_BACKEND=cu130`. Its output is its log.
#   benchmarks/gpu_check.sh 2>&1 | tee gpu_check.log
# Where there is none, the same steps on the processor, of fewer texts: that the script is whole.
#   DEVICE=cpu benchmarks/gpu_check.sh
set -euo pipefail

python=${PYTHON:-.venv/bin/python}
device=${DEVICE:-cuda}
case $device in
  cuda) size="" limit=150 ;;
  cpu) size="--rounds 1 --texts 16" limit=900 ;;
  *) echo "expected DEVICE to be cuda or cpu, found $device" >&2; exit 2 ;;
esac
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export FINPULSE_HOME="$scratch" FINPULSE_DEVICE="$device" HF_HUB_OFFLINE=1
began=$SECONDS

if command -v nvidia-smi >/dev/null; then
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv
fi
echo "== gpu-check"
found=0
"$python" -m training gpu-check || found=$?
# It exits 3 where torch sees no GPU: what is asked of the processor goes on, as it must.
if [ "$found" -ne 0 ] && { [ "$found" -ne 3 ] || [ "$device" = cuda ]; }; then exit "$found"; fi

echo "== one epoch of fine-tuning in bfloat16, of all layers"
timeout "$limit" "$python" benchmarks/gpu_epoch.py --half $size
echo "== the same, sharded by FSDP on one device"
timeout "$limit" "$python" benchmarks/gpu_epoch.py --half $size --strategy fsdp
echo "== texts scored per second, by batch"
timeout "$limit" "$python" benchmarks/gpu_epoch.py --half $size --score
echo "done on $device after $((SECONDS - began)) s"
