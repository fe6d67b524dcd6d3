"""Measures this machine: `python -m bench`, or one part by its own module."""

from __future__ import annotations

from bench import gateway, http, merge, quality, speech, viseme, watchers, wav2lip


def main() -> None:
    for part in (viseme, wav2lip, speech, quality, merge, gateway, http, watchers):
        part.main()
        print()


if __name__ == "__main__":
    main()
