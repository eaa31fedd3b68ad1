#!/bin/sh
# `make demo`: a Stable-Baselines3 zip of the gym era, which today's library no longer opens.
set -eu
cd "$(dirname "$0")/.."
source=fixtures/sb3/old_gym/model.zip
target=out/demo

run() {
  printf '\n$ %s\n' "$*"
  "$@"
}

run ckptkit inspect "$source"
run ckptkit convert "$source" --to deploy -o "$target" --force
run ckptkit export onnx "$target"
run ckptkit validate "$target" --level 4
