#!/bin/sh
# Fails when the contracts break the style, or when the generated code is not that of protos/.
set -eu
cd "$(dirname "$0")/.."
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

scripts/generate_protos.sh "$fresh" 2> "$fresh/log" || { cat "$fresh/log" >&2; exit 1; }
for file in "$fresh"/mouthpiece/v1/*; do
    cmp -s "$file" "mouthpiece/v1/$(basename "$file")" || {
        echo "mouthpiece/v1/$(basename "$file") is stale: run make proto" >&2
        exit 1
    }
done

scripts/proto_image.sh "$fresh/image.binpb"
buf lint "$fresh/image.binpb" --config protos/buf.yaml
