"""The table of metrics says what the services have, and names follow Prometheus' conventions."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.monitoring_metrics import SERVICES, Metric, everything

TABLE = Path(__file__).parents[2] / "docs/metrics.md"
ROW = re.compile(r"\| `(\w+)` \| (\w+) \| ([\w, –]+) \| .+ \| ([\w, ]+) \|")
UNITS = ("_seconds", "_bytes", "_ratio", "_watts", "_joules", "_celsius")
LABELS = {
    *("method", "code", "path", "status", "state", "standing", "engine", "kind", "outcome", "stage"),
    *("source", "ready", "folder", "version", "gpu", "tenant_class"),
}
"""What a label may be: each takes its values from a list that does not grow with the work."""


def documented() -> dict[Metric, set[str]]:
    found: dict[Metric, set[str]] = {}
    for line in TABLE.read_text().splitlines():
        if row := ROW.fullmatch(line):
            name, kind, labels, where = row.groups()
            named = () if labels == "–" else tuple(labels.split(", "))
            services = SERVICES if where == "all" else where.split(", ")
            found[Metric(name, kind, named)] = set(services)
    return found


def test_the_table_names_every_metric_of_every_service_and_no_other() -> None:
    assert documented() == everything()


def test_names_carry_base_units_and_counters_end_in_total() -> None:
    for metric in everything():
        assert re.fullmatch(r"mouthpiece(_[a-z]+)+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.kind != "histogram" or metric.name.endswith(UNITS)
        assert not re.search(r"milli|_ms|_mb|percent|minutes", metric.name)


def test_no_label_grows_with_the_work() -> None:
    assert {label for metric in everything() for label in metric.labels} <= LABELS
