"""Words that users choose from. Free of imports that take time, for the command line's help."""

from __future__ import annotations

from typing import Literal

QualityName = Literal["low", "medium", "high", "ultra", "lossless"]
CodecName = Literal["h264", "hevc", "av1"]
FallbackName = Literal["engine", "reference", "none"]
LoudnessName = Literal["normalize", "keep"]
CornerName = Literal["bottom-right", "bottom-left", "top-right", "top-left"]
ConsentName = Literal["off", "voice", "face"]
ModeName = Literal["auto", "single", "chunked"]
ScopeName = Literal["read", "write", "admin"]
StateName = Literal["queued", "speaking", "rendering", "merging", "done", "failed", "cancelled"]
