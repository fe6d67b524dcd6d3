"""Measures this machine: `python -m bench`, or only some parts: `python -m bench speech merge`."""

from __future__ import annotations

import sys
from importlib import import_module

PARTS = ("viseme", "wav2lip", "speech", "quality", "merge", "gateway", "http", "watchers")


def main() -> None:
    wanted = sys.argv[1:] or PARTS
    if unknown := [name for name in wanted if name not in PARTS]:
        sys.exit(f"there is no {unknown[0]}; there is {', '.join(PARTS)}")
    for name in wanted:
        import_module(f"bench.{name}").main()
        print()


if __name__ == "__main__":
    main()
