"""What the manifests mean, beyond their schema."""

from __future__ import annotations

import json
import re
from functools import cache

import kubernetes_validate
import pytest
from pydantic_settings import BaseSettings

from mouthpiece.settings import (
    CommonSettings,
    GatewaySettings,
    LipSyncSettings,
    MergerSettings,
    TtsSettings,
)
from services.lipsync.engines import ENGINES
from tests.support.manifests import (
    COMPONENTS,
    KUBECTL,
    Manifest,
    allowed,
    container,
    environment,
    of_kind,
    pod,
    render,
    selected,
    workloads,
)

pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")

DEV, PRODUCTION = "overlays/dev", "overlays/production"
IN_PRODUCTION = {"s3", "postgresql", "access", "tls", "network-policies", "monitoring", "autoscaling"}
COMBINATIONS = [
    ("base", ()),
    (DEV, ()),
    (PRODUCTION, ()),
    *(("base", (name,)) for name in COMPONENTS),
    *((PRODUCTION, (name,)) for name in COMPONENTS if name not in IN_PRODUCTION),
    (DEV, ("network-policies", "monitoring", "ingress", "postgresql", "s3")),
    (PRODUCTION, ("ingress-tls", "time-slicing", "tracing", "weights", "signing")),
]
GI = 1 << 30
Settings = GatewaySettings | TtsSettings | LipSyncSettings | MergerSettings
SETTINGS: dict[str, type[Settings]] = {
    "gateway": GatewaySettings,
    "tts": TtsSettings,
    "lipsync": LipSyncSettings,
    "merger": MergerSettings,
}
SERVICES = {
    "gateway": "mouthpiece.v1.VideoService",
    "tts": "mouthpiece.v1.SpeechService",
    "lipsync": "mouthpiece.v1.LipSyncService",
    "merger": "mouthpiece.v1.MergerService",
}
QUANTITY = re.compile(r"\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?")
LONGEST_CHUNK = 600
"""Seconds: what a HeyGem container is given at most."""

manifests = cache(render)

every_combination = pytest.mark.parametrize(("base", "components"), COMBINATIONS, ids=str)


@cache
def check(manifest: str) -> None:
    """Hold an object against the schema, once: most are the same in most combinations."""
    kubernetes_validate.validate(json.loads(manifest), "1.32", strict=True)


@every_combination
def test_every_object_fits_the_schema(base: str, components: tuple[str, ...]) -> None:
    for manifest in manifests(base, components):
        if (
            manifest["apiVersion"]
            .partition("/")[0]
            .endswith((".coreos.com", "keda.sh", "cert-manager.io", "gateway.networking.k8s.io"))
        ):
            continue  # custom resources, which the schema does not hold
        check(json.dumps(manifest, sort_keys=True))


@every_combination
def test_every_selector_finds_pods_and_every_port_is_open(base: str, components: tuple[str, ...]) -> None:
    objects = manifests(base, components)
    pods = [pod(workload) for workload in workloads(objects).values()]
    for service in of_kind(objects, "Service"):
        selector = {"matchLabels": service["spec"]["selector"]}
        (found,) = [each for each in pods if selected(selector, each["metadata"]["labels"])]
        names = {port["name"]: port["containerPort"] for port in found["spec"]["containers"][0]["ports"]}
        for port in service["spec"]["ports"]:
            assert names[port["targetPort"]] == port["port"]
    for budget in of_kind(objects, "PodDisruptionBudget", "PodMonitor"):
        assert any(selected(budget["spec"]["selector"], each["metadata"]["labels"]) for each in pods)
    for workload in workloads(objects).values():
        assert selected(workload["spec"]["selector"], pod(workload)["metadata"]["labels"])


@every_combination
def test_everything_that_is_referred_to_is_there(base: str, components: tuple[str, ...]) -> None:
    objects = manifests(base, components)
    names = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in objects}
    for workload in workloads(objects).values():
        spec = pod(workload)["spec"]
        assert ("ServiceAccount", spec["serviceAccountName"]) in names
        assert ("PriorityClass", spec["priorityClassName"]) in names
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        for volume in volumes.values():
            claim = volume.get("persistentVolumeClaim")
            assert claim is None or ("PersistentVolumeClaim", claim["claimName"]) in names
            assert len({"emptyDir", "persistentVolumeClaim", "secret"} & set(volume)) == 1
        assert {mount["name"] for mount in container(workload)["volumeMounts"]} == set(volumes)
        environment(objects, workload)
    for scaler in of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) in names


@every_combination
def test_every_variable_is_a_setting_and_its_value_is_valid(
    base: str, components: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = manifests(base, components)
    for name, workload in workloads(objects).items():
        values = environment(objects, workload)
        ours = {key for key in values if key.startswith("MOUTHPIECE_")}
        assert ours <= _variables(CommonSettings) | _variables(SETTINGS[name]), name
        with monkeypatch.context() as patch:
            for key in ours:
                patch.setenv(key, values[key])
            CommonSettings.read()
            SETTINGS[name].read()


def _variables(settings: type[BaseSettings]) -> set[str]:
    prefix = settings.model_config.get("env_prefix", "")
    return {f"{prefix}{field}".upper() for field in settings.model_fields}


@every_combination
def test_ports_are_those_the_services_listen_on(base: str, components: tuple[str, ...]) -> None:
    for name, workload in workloads(manifests(base, components)).items():
        defaults = SETTINGS[name]()
        ports = {port["name"]: port["containerPort"] for port in container(workload)["ports"]}
        assert ports["grpc"] == defaults.port
        assert ports["metrics"] == defaults.metrics_port


@every_combination
def test_probes_ask_the_service_that_runs_there(base: str, components: tuple[str, ...]) -> None:
    objects = manifests(base, components)
    for name, workload in workloads(objects).items():
        only = container(workload)
        own = environment(objects, workload).get("MOUTHPIECE_HEALTH_PORT")
        port = int(own) if own else SETTINGS[name]().port
        for probe in ("startupProbe", "readinessProbe"):
            assert only[probe]["grpc"] == {"port": port, "service": SERVICES[name]}
        assert only["livenessProbe"]["grpc"] == {"port": port, "service": "grpc.health.v1.Health"}


@every_combination
def test_a_pod_lives_long_enough_to_end_its_work(base: str, components: tuple[str, ...]) -> None:
    objects = manifests(base, components)
    for name, workload in workloads(objects).items():
        drain = float(environment(objects, workload)["MOUTHPIECE_DRAIN_SECONDS"])
        before = container(workload)["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pod(workload)["spec"]["terminationGracePeriodSeconds"] > drain + before
        if name == "lipsync":
            assert drain > LONGEST_CHUNK


@every_combination
def test_pods_are_restricted(base: str, components: tuple[str, ...]) -> None:
    for workload in workloads(manifests(base, components)).values():
        spec, only = pod(workload)["spec"], container(workload)
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["runAsUser"] == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@every_combination
def test_requests_and_limits_are_quantities_and_a_gpu_is_exactly_one(
    base: str, components: tuple[str, ...]
) -> None:
    for name, workload in workloads(manifests(base, components)).items():
        resources = container(workload)["resources"]
        for quantity in (*resources["requests"].values(), *resources["limits"].values()):
            assert QUANTITY.fullmatch(str(quantity)), quantity
        assert {"cpu", "memory"} <= set(resources["requests"])
        assert "memory" in resources["limits"]
        devices = {key: value for key, value in resources["limits"].items() if "nvidia.com/" in key}
        assert set(devices.values()) <= {1}
        assert len(devices) == (name == "lipsync" and base != DEV and "cpu-only" not in components)


@every_combination
def test_what_pods_write_fits_into_their_volumes_and_those_into_the_storage_of_the_node(
    base: str, components: tuple[str, ...]
) -> None:
    for name, workload in workloads(manifests(base, components)).items():
        volumes = {each["name"]: each.get("emptyDir") for each in pod(workload)["spec"]["volumes"]}
        sizes = {key: _gibibytes(value["sizeLimit"]) for key, value in volumes.items() if value}
        assert sum(sizes.values()) <= _gibibytes(
            container(workload)["resources"]["limits"]["ephemeral-storage"]
        )
        if name == "gateway" and "data" in sizes:
            assert sizes["data"] >= 4 * GatewaySettings().max_upload_bytes / GI
        if name == "lipsync":
            assert sizes["cache"] > LipSyncSettings().avatar_cache_bytes / GI
        if name == "merger":
            assert sizes["cache"] == max(sizes.values())  # unfinished movies lie there


def _gibibytes(quantity: str) -> float:
    assert quantity.endswith("Gi")
    return float(quantity.removesuffix("Gi"))


@every_combination
def test_workers_are_told_of_engines_that_there_are(base: str, components: tuple[str, ...]) -> None:
    objects = manifests(base, components)
    wanted = environment(objects, workloads(objects)["lipsync"])["MOUTHPIECE_LIPSYNC_ENGINES"]
    assert set(wanted.split(",")) <= set(ENGINES)


@every_combination
def test_with_tls_nothing_says_that_it_speaks_in_the_clear(base: str, components: tuple[str, ...]) -> None:
    objects = manifests(base, components)
    secure = "MOUTHPIECE_TLS_CERTIFICATE" in environment(objects, workloads(objects)["gateway"])
    for service in of_kind(objects, "Service"):
        protocols = {port.get("appProtocol") for port in service["spec"]["ports"]}
        assert (protocols <= {None, "https"}) == secure, service["metadata"]["name"]


def test_a_single_writer_has_a_single_gateway_and_never_two_at_once() -> None:
    gateway = workloads(manifests("base"))["gateway"]
    assert gateway["spec"]["replicas"] == 1
    assert gateway["spec"]["strategy"] == {"type": "Recreate"}


def test_with_postgresql_there_are_several_gateways() -> None:
    gateway = workloads(manifests("base", ("postgresql",)))["gateway"]
    assert gateway["spec"]["replicas"] > 1
    variables = {entry["name"] for entry in container(gateway)["env"]}
    assert "MOUTHPIECE_GATEWAY_DATABASE" in variables


DIALLED = {
    "MOUTHPIECE_GATEWAY_TTS": "tts",
    "MOUTHPIECE_GATEWAY_MERGER": "merger",
    "MOUTHPIECE_GATEWAY_WORKERS": "lipsync",
}


def test_policies_allow_every_edge_that_is_dialled_and_no_other() -> None:
    objects = manifests(PRODUCTION)
    found = workloads(objects)
    variables = environment(objects, found["gateway"])
    dialled = {("gateway", name, int(variables[key].rpartition(":")[2])) for key, name in DIALLED.items()}
    labels = {name: pod(workload)["metadata"]["labels"] for name, workload in found.items()}
    assert _edges(objects, labels, "egress") == dialled
    assert {(there, here, port) for here, there, port in _edges(objects, labels, "ingress")} == dialled


def _edges(objects: list[Manifest], labels: dict[str, Manifest], direction: str) -> set[tuple[str, str, int]]:
    peers = "to" if direction == "egress" else "from"
    return {
        (here, there, port["port"])
        for here in labels
        for rule in allowed(objects, direction, labels[here])
        for peer in rule.get(peers, [])
        if "podSelector" in peer and "namespaceSelector" not in peer
        for there in labels
        if selected(peer["podSelector"], labels[there])
        for port in rule["ports"]
    }


def test_policies_deny_what_they_do_not_allow() -> None:
    everything = [
        policy
        for policy in of_kind(manifests(PRODUCTION), "NetworkPolicy")
        if policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    ]
    assert [policy["spec"].keys() & {"ingress", "egress"} for policy in everything] == [set()]


def test_every_service_has_a_certificate_for_the_name_it_is_dialled_by() -> None:
    objects = manifests(PRODUCTION)
    variables = environment(objects, workloads(objects)["gateway"])
    names = {
        certificate["spec"]["secretName"]: certificate["spec"].get("dnsNames")
        for certificate in of_kind(objects, "Certificate")
    }
    for key, name in DIALLED.items():
        host = variables[key].rpartition(":")[0].rpartition("/")[2].removeprefix("dns:")
        assert names[f"mouthpiece-{name}-tls"] == [host]
    for name, workload in workloads(objects).items():
        volumes = {volume["name"]: volume for volume in pod(workload)["spec"]["volumes"]}
        assert volumes["tls"]["secret"]["secretName"] == f"mouthpiece-{name}-tls"


def test_the_certificate_for_videos_is_mounted_where_the_merger_looks_for_it() -> None:
    objects = manifests("base", ("signing",))
    merger = workloads(objects)["merger"]
    settings = environment(objects, merger)
    (mount,) = [each for each in container(merger)["volumeMounts"] if each["name"] == "signing"]
    for key, file in (("CERTIFICATE", "tls.crt"), ("KEY", "tls.key")):
        assert settings[f"MOUTHPIECE_MERGER_SIGNING_{key}"] == f"{mount['mountPath']}/{file}"
    assert mount["readOnly"]
    others = [name for name in workloads(objects) if name != "merger"]
    assert all("signing" not in str(workloads(objects)[name]) for name in others)


def test_a_bucket_takes_the_place_of_the_shared_volume() -> None:
    objects = manifests("base", ("s3",))
    claims = {claim["metadata"]["name"] for claim in of_kind(objects, "PersistentVolumeClaim")}
    assert claims == {"mouthpiece-data"}
    for workload in workloads(objects).values():
        assert environment(objects, workload)["MOUTHPIECE_ARTIFACTS"].startswith("s3://")


def test_who_scales_a_workload_sets_its_replicas_alone() -> None:
    objects = manifests(PRODUCTION)
    scaled = {
        scaler["spec"]["scaleTargetRef"]["name"]
        for scaler in of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject")
    }
    for workload in workloads(objects).values():
        assert ("replicas" in workload["spec"]) == (workload["metadata"]["name"] not in scaled)
