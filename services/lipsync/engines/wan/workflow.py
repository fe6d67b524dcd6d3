"""Workflows in ComfyUI's API format with named placeholders such as {{prompt}}."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mouthpiece.errors import Reason, Unmet

Value = str | int
NAMES = frozenset({"prompt", "seed", "steps", "width", "height", "frames", "image", "audio", "motion"})
_HOLE = re.compile(r"\{\{(\w+)\}\}")


def read_workflow(path: Path) -> dict[str, Any]:
    """Read a workflow. Raises `Unmet` (ENGINE_UNAVAILABLE) when it is none, or names what nobody knows."""
    try:
        workflow = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Unmet(Reason.ENGINE_UNAVAILABLE, f"the workflow {path.name} cannot be read: {error}") from None
    nodes = workflow.values() if isinstance(workflow, dict) else [None]
    if not all(isinstance(node, dict) and "class_type" in node for node in nodes):
        message = f"{path.name} is no workflow in ComfyUI's API format: use its menu Export (API)"
        raise Unmet(Reason.ENGINE_UNAVAILABLE, message)
    if unknown := set(_HOLE.findall(json.dumps(workflow))) - NAMES:
        message = f"{path.name} has placeholders that nothing fills: {', '.join(sorted(unknown))}"
        raise Unmet(Reason.ENGINE_UNAVAILABLE, message)
    return dict(workflow)


def fill(workflow: dict[str, Any], values: Mapping[str, Value]) -> dict[str, Any]:
    """A workflow with values for its placeholders; one that is a whole text becomes the very value."""
    return {key: _filled(part, values) for key, part in workflow.items()}


def _filled(part: Any, values: Mapping[str, Value]) -> Any:
    match part:
        case dict():
            return {key: _filled(inner, values) for key, inner in part.items()}
        case list():
            return [_filled(inner, values) for inner in part]
        case str():
            whole = _HOLE.fullmatch(part)
            if whole and whole[1] in values:
                return values[whole[1]]
            return _HOLE.sub(lambda hole: str(values.get(hole[1], "")), part)
        case _:
            return part
