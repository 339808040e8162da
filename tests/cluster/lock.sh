#!/usr/bin/env bash
# Write each image's requirements.txt: every dependency of its extra, pinned with hashes, for all platforms.
set -euo pipefail
cd "$(dirname "$0")/../.."
lock() { # extra, folder, more arguments
  uv pip compile --quiet --universal --python-version 3.13 --generate-hashes --no-header --no-emit-index-url \
    --extra "$1" pyproject.toml --output-file "$2/requirements.txt" "${@:3}"
}
lock operator operator
lock router router
lock runtime runtime-image --no-emit-package msgspec # the contract's; the runtime imports nothing of Kubewick
