#!/usr/bin/env bash
# Write each image's requirements.txt: every dependency of its extra, pinned with hashes, for all platforms.
set -euo pipefail
cd "$(dirname "$0")/../.."
pin() {
  uv pip compile --quiet --universal --python-version 3.13 --generate-hashes --no-header --no-emit-index-url "$@"
}
lock() { # extra, folder, more arguments
  pin --extra "$1" pyproject.toml --output-file "$2/requirements.txt" "${@:3}"
}
lock operator operator
lock router router
lock runtime runtime-image --no-emit-package msgspec # the contract's; the runtime imports nothing of Kubewick
pin --group compile --output-file router/requirements-compile.txt
