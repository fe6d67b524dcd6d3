#!/bin/sh
# Starts the images of `make images` as deploy/compose.yaml says, with read-only roots, and renders a video
# through them. Needs docker compose or podman-compose (COMPOSE names another), and `make setup`.
set -eu
cd "$(dirname "$0")/.."
compose=${COMPOSE:-docker compose}
out=${1:-out/containers.mp4}
trap '$compose -f deploy/compose.yaml down' EXIT
$compose -f deploy/compose.yaml up -d
for _ in $(seq 60); do
    .venv/bin/mouthpiece workers 2>/dev/null && break
    sleep 1
done
mkdir -p "$(dirname "$out")"
timeout 300 .venv/bin/mouthpiece generate \
    --text "Good morning from four containers. They can write nowhere but where they should." -o "$out"
