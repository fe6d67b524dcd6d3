"""The rules, the dashboard and the runbooks: they parse, do what they say, and speak of what there is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.monitoring_metrics import everything

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/monitoring"
COMPONENT = ROOT / "deploy/k8s/components/monitoring"
PROMTOOL = shutil.which("promtool")
with_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
GROUPS = yaml.safe_load((FOLDER / "rules.yaml").read_text())["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]


def promtool(*arguments: str) -> None:
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def queries() -> list[str]:
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


@with_promtool
def test_alerts_fire_when_they_should_and_only_then() -> None:
    promtool("check", "rules", "rules.yaml")
    promtool("test", "rules", "rules_test.yaml")


def test_every_alert_is_tested() -> None:
    tests = yaml.safe_load((FOLDER / "rules_test.yaml").read_text())["tests"]
    checks = [check for test in tests for check in test["alert_rule_test"]]
    fired = {check["alertname"] for check in checks if check.get("exp_alerts")}
    quiet = {check["alertname"] for check in checks if not check.get("exp_alerts")}
    names = {rule["alert"] for rule in ALERTS}
    assert fired == names
    assert quiet == names


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    assert {rule["alert"] for rule in ALERTS} == set(re.findall(r"^### (Mouthpiece\w+)$", text, re.MULTILINE))
    for rule in ALERTS:
        assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{rule['alert'].lower()}"


@with_promtool
def test_every_query_of_the_dashboard_parses(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(queries())
    ]
    assert len(rules) > 30
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", str(file))


def test_rules_and_dashboard_ask_for_metrics_that_exist() -> None:
    series = {name for metric in everything() for name in metric.series}
    series |= {rule["record"] for rule in RULES if "record" in rule}
    for query in [*queries(), *(rule["expr"] for rule in RULES)]:
        assert set(re.findall(r"mouthpiece[\w:]+", query)) <= series


def test_the_component_has_the_same_rules_and_dashboard() -> None:
    rule = yaml.safe_load((COMPONENT / "rules.yaml").read_text())
    assert (rule["kind"], rule["spec"]["groups"]) == ("PrometheusRule", GROUPS)
    assert (COMPONENT / "dashboard.json").read_text() == (FOLDER / "dashboard.json").read_text()


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads((FOLDER / "dashboard.json").read_text())["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert max(x for x, _ in cells) < 24
        assert not taken & cells
        taken |= cells
