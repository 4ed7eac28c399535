#!/usr/bin/env bash
# Builds each image once, lists what is in it, and tells GitHub the digests.
#   REGISTRY=... PUSH=true infra/release/images.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${REGISTRY:?expected the registry that the images are named by}"
tag=${GITHUB_SHA:-$(git rev-parse HEAD)}
mkdir -p build/sbom
digests=()
for target in platform monitoring predictor; do
  image=$REGISTRY/finpulse-$target:$tag
  if [ "${PUSH:-false}" = true ]; then kept=--push; else kept=--load; fi
  docker buildx build --file infra/images/Dockerfile --target "$target" --tag "$image" "$kept" \
    --metadata-file "build/$target.json" .
  digest=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["containerimage.digest"])' "build/$target.json")
  # What Python finds in it; the system's packages are the base's, which the Dockerfile pins.
  docker run --rm "$image" python -c 'if True:
    from importlib.metadata import distributions
    print(*sorted({f"{d.name}=={d.version}" for d in distributions()}), sep="\n")' >"build/$target.txt"
  .venv/bin/cyclonedx-py requirements --output-reproducible --of JSON \
    -o "build/sbom/$target.json" "build/$target.txt"
  digests+=("\"$target\": \"$digest\"")
done
told="{$(IFS=,; echo "${digests[*]}")}"
echo "$told"
echo "digests=$told" >>"${GITHUB_OUTPUT:-/dev/null}"
