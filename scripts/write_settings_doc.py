"""Writes docs/settings.md from mouthpiece/settings.py; with --check, only tells whether it is fresh."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic_settings import BaseSettings

from mouthpiece.settings import (
    CommonSettings,
    GatewaySettings,
    LipSyncSettings,
    MergerSettings,
    TtsSettings,
)

DOCUMENT = Path(__file__).parents[1] / "docs" / "settings.md"
SECTIONS: dict[str, type[BaseSettings]] = {
    "All services": CommonSettings,
    "gateway": GatewaySettings,
    "tts": TtsSettings,
    "lipsync": LipSyncSettings,
    "merger": MergerSettings,
}
HEAD = """# Settings

Every setting has a default that works on one machine. A service reads its settings once, at its start, from
environment variables, and from the TOML file that `MOUTHPIECE_CONFIG` names: shared settings on top, those
of a service in a table of its name. The environment wins.

```toml
data = "/var/lib/mouthpiece"

[gateway]
workers = "10.0.0.1:50060,10.0.0.2:50060"
```
"""


def render() -> str:
    """The document."""
    parts = [HEAD]
    for title, settings in SECTIONS.items():
        prefix = settings.model_config.get("env_prefix", "")
        parts.append(f"\n## {title}\n\n| variable | meaning |\n|---|---|\n")
        for name, field in settings.model_fields.items():
            meaning = " ".join((field.description or "").split())
            parts.append(f"| `{prefix}{name.upper()}` | {meaning} |\n")
    return "".join(parts)


def main() -> None:
    """Write, or check."""
    if "--check" not in sys.argv:
        DOCUMENT.write_text(render(), encoding="utf-8")
    elif not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != render():
        sys.exit("docs/settings.md is stale: run python scripts/write_settings_doc.py")


if __name__ == "__main__":
    main()
