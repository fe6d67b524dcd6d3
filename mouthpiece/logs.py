"""Logging of the programs: one line per record on standard error."""

from __future__ import annotations

import logging


def configure_logging(level: str) -> None:
    """Send records of `level` and above to standard error."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname).1s %(name)s %(message)s", force=True)
