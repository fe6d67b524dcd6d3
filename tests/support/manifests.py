"""Renders and reads the Kubernetes manifests."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]

FOLDER = Path(__file__).parents[2] / "deploy" / "k8s"
COMPONENTS = sorted(path.name for path in (FOLDER / "components").iterdir())
KUBECTL = shutil.which("kubectl")


def render(base: str, components: Sequence[str] = ()) -> list[Manifest]:
    """The objects of `base` (such as "base" or "overlays/dev") with more components on top."""
    assert KUBECTL is not None
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch).resolve()
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [os.path.relpath(FOLDER / base, folder)],
            "components": [os.path.relpath(FOLDER / "components" / name, folder) for name in components],
        }
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        done = subprocess.run(
            [KUBECTL, "kustomize", str(folder)], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.load_all(done.stdout, yaml.CSafeLoader) if found]


def of_kind(manifests: Sequence[Manifest], *kinds: str) -> list[Manifest]:
    """Those of some kinds."""
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def workloads(manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    """Deployments and StatefulSets by the name of their service, without the prefix."""
    found = of_kind(manifests, "Deployment", "StatefulSet")
    return {str(manifest["metadata"]["name"]).removeprefix("mouthpiece-"): manifest for manifest in found}


def pod(workload: Manifest) -> Any:
    """The pod that a workload makes: labels under `metadata`, the rest under `spec`."""
    return workload["spec"]["template"]


def container(workload: Manifest) -> Any:
    """The one container of a workload's pods."""
    (only,) = pod(workload)["spec"]["containers"]
    return only


def environment(manifests: Sequence[Manifest], workload: Manifest) -> dict[str, str]:
    """Variables of a workload's container as far as the manifests say; those from secrets are left out."""
    maps = {manifest["metadata"]["name"]: manifest["data"] for manifest in of_kind(manifests, "ConfigMap")}
    values: dict[str, str] = {}
    for source in container(workload)["envFrom"]:
        if "configMapRef" in source:
            values |= maps[source["configMapRef"]["name"]]
    own = container(workload).get("env", [])
    return values | {entry["name"]: entry["value"] for entry in own if "value" in entry}


def selected(selector: Manifest, labels: Manifest) -> bool:
    """Whether labels satisfy a selector; an empty one takes everything."""
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return all(labels.get(key) == value for key, value in wanted.items())


def allowed(manifests: Sequence[Manifest], direction: str, labels: Manifest) -> Iterator[Manifest]:
    """Rules of all policies for pods with some labels; `direction` is "ingress" or "egress"."""
    for policy in of_kind(manifests, "NetworkPolicy"):
        if selected(policy["spec"]["podSelector"], labels):
            yield from policy["spec"].get(direction, [])
