#!/bin/sh
# Writes protos/ with everything they import and all comments, as a descriptor set, into the file given.
set -eu
cd "$(dirname "$0")/.."
bin=.venv-proto/bin
include=$($bin/python -c 'import pathlib, google.rpc; print(pathlib.Path(list(google.rpc.__path__)[0]).parents[1])')
$bin/python -m grpc_tools.protoc -I protos -I "$include" --include_imports --include_source_info \
    --descriptor_set_out="$1" protos/mouthpiece/v1/*.proto
