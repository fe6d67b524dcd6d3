#!/bin/sh
# Writes the Python of protos/ into the folder given (the repository root by default). Runs in the
# environment of requirements/proto.lock: see pyproject.toml, group "proto".
set -eu
cd "$(dirname "$0")/.."
out=${1:-.}
mkdir -p "$out"
bin=.venv-proto/bin
include=$($bin/python -c 'import pathlib, google.rpc; print(pathlib.Path(list(google.rpc.__path__)[0]).parents[1])')
PATH="$PWD/$bin:$PATH" $bin/python -m grpc_tools.protoc -I protos -I "$include" \
    --python_out="$out" --grpc_python_out="$out" --mypy_out="$out" --mypy_grpc_out="$out" \
    protos/mouthpiece/v1/*.proto
