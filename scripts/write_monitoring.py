"""Writes the Grafana dashboard, and what component `monitoring` has of it and of the rules.

With --check, only tells whether they are fresh.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEPLOY = Path(__file__).parents[1] / "deploy"
RULES = DEPLOY / "monitoring" / "rules.yaml"
COMPONENT = DEPLOY / "k8s" / "components" / "monitoring"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT, COLUMNS = 8, 7, 3
"""Size of a panel in the 24 columns of Grafana's grid, and panels beside each other."""

PROMETHEUS_RULE = """# Written by scripts/write_monitoring.py from deploy/monitoring/rules.yaml.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: mouthpiece
spec:
"""


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph: queries by the legend of their lines, and the unit as Grafana names it."""

    title: str
    unit: str
    queries: dict[str, str]
    meaning: str = ""


def rate(metric: str, by: str, match: str = "") -> str:
    """Growth of a counter a second."""
    return f"sum by ({by}) (rate({metric}{match}[$__rate_interval]))"


def total(metric: str) -> str:
    """Growth of a counter a second, all series together."""
    return f"sum(rate({metric}[$__rate_interval]))"


def quantiles(metric: str, by: str = "") -> dict[str, str]:
    """Median and 95th percentile of a histogram."""
    label = f"{{{{{by}}}}} " if by else ""
    groups = f"le, {by}" if by else "le"
    counts = f"sum by ({groups}) (rate({metric}_bucket[$__rate_interval]))"
    return {f"{label}p{100 * q:.0f}": f"histogram_quantile({q}, {counts})" for q in (0.5, 0.95)}


def share(metric: str, match: str) -> str:
    """What part of a counter's growth has some labels."""
    part = f"sum(rate({metric}{match}[$__rate_interval])) or vector(0)"
    return f"({part}) / ({total(metric)} > 0)"


BOARD = {
    "Queue": [
        Panel("Jobs by state", "short", {"{{state}}": "sum by (state) (mouthpiece_gateway_jobs)"}),
        Panel("Waiting jobs", "short",
              {"{{tenant_class}}": "sum by (tenant_class) (mouthpiece_gateway_waiting_jobs)"}),
        Panel("Oldest waiting job", "s",
              {"{{tenant_class}}": "max by (tenant_class) (mouthpiece_gateway_oldest_waiting_seconds)"}),
    ],
    "Latency": [
        Panel("Time to the first segment", "s", quantiles("mouthpiece_gateway_first_segment_seconds")),
        Panel("Time to the video", "s", quantiles("mouthpiece_gateway_job_seconds")),
        Panel("Stages of a job, 95th percentile", "s",
              {"{{stage}}": quantiles("mouthpiece_gateway_stage_seconds", "stage")["{{stage}} p95"]}),
        Panel("A sentence of speech", "s", quantiles("mouthpiece_tts_sentence_seconds", "source")),
        Panel("A chunk", "s", quantiles("mouthpiece_gateway_chunk_seconds", "engine")),
        Panel("Finishing a merge", "s", quantiles("mouthpiece_merge_finish_seconds")),
        Panel("Calls, 95th percentile", "s",
              {"{{method}}": quantiles("mouthpiece_rpc_seconds", "method")["{{method}} p95"]}),
        Panel("HTTP, 95th percentile", "s",
              {"{{path}}": quantiles("mouthpiece_http_seconds", "path")["{{path}} p95"]}),
    ],
    "Throughput": [
        Panel("Jobs ended", "ops", {"{{state}}": rate("mouthpiece_jobs_ended_total", "state")}),
        Panel("Video made in a second", "s",
              {"{{engine}}": rate("mouthpiece_lipsync_video_seconds_total", "engine")},
              "Seconds of video: how many times faster than real time the cluster is."),
        Panel("Frames", "ops", {"{{engine}}": rate("mouthpiece_lipsync_frames_total", "engine")}),
        Panel("Speech made in a second", "s",
              {"{{source}}": rate("mouthpiece_tts_speech_seconds_total", "source")}),
        Panel("Bytes", "Bps", {
            "uploaded": total("mouthpiece_gateway_uploaded_bytes_total"),
            "downloaded": total("mouthpiece_gateway_downloaded_bytes_total"),
            "merged": total("mouthpiece_merged_bytes_total"),
        }),
        Panel("Calls", "ops", {"{{method}}": rate("mouthpiece_rpc_handled_total", "method")}),
    ],
    "Workers": [
        Panel("Workers", "short", {"{{standing}}": "max by (standing) (mouthpiece_gateway_workers)"}),
        Panel("Busy slots", "percentunit", {"{{instance}}": "mouthpiece:lipsync_busy:ratio"}),
        Panel("Speed", "none", {"{{instance}} {{engine}}": "mouthpiece:lipsync_speed:ratio15m"},
              "Times real time, over 15 minutes."),
        Panel("Where the time goes", "percentunit",
              {"{{engine}} {{stage}}": rate("mouthpiece_lipsync_work_seconds_total", "engine, stage")}),
        Panel("Attempts begun", "ops", {"{{kind}}": rate("mouthpiece_attempts_started_total", "kind")}),
        Panel("Free disk", "percentunit", {"{{instance}} {{folder}}": "mouthpiece:disk_free:ratio"}),
    ],
    "Cache": [
        Panel("Chunks from the cache", "percentunit",
              {"share": share("mouthpiece_gateway_chunks_total", '{source="cached"}')}),
        Panel("Sentences from the cache", "percentunit",
              {"share": share("mouthpiece_gateway_sentences_total", '{source="cached"}')}),
        Panel("Avatars that were ready", "percentunit",
              {"share": share("mouthpiece_lipsync_avatars_total", '{ready="yes"}')}),
    ],
    "Errors": [
        Panel("Calls that fail", "percentunit", {"{{method}}": "mouthpiece:rpc_errors:ratio5m"}),
        Panel("Jobs that fail", "percentunit", {"last hour": "mouthpiece:jobs_failed:ratio1h"}),
        Panel("Attempts without a chunk", "ops",
              {"{{outcome}}": rate("mouthpiece_attempts_ended_total", "outcome", '{outcome!="done"}')}),
        Panel("Workers lost", "ops", {"lost": total("mouthpiece_gateway_workers_lost_total")}),
        Panel("Chunks refused", "ops", {"refused": total("mouthpiece_lipsync_refused_total")}),
        Panel("HTTP errors", "ops",
              {"{{path}}": rate("mouthpiece_http_answers_total", "path", '{status=~"5.."}')}),
    ],
    "GPU": [
        Panel("Utilization", "percentunit", {"{{instance}}": "mouthpiece_lipsync_device_utilization"}),
        Panel("Memory in use", "bytes", {"{{instance}}": "mouthpiece_lipsync_device_memory_used_bytes"}),
        Panel("Power", "watt", {
            "{{instance}}": "mouthpiece_lipsync_device_power_watts",
            "{{instance}} limit": "mouthpiece_lipsync_device_power_limit_watts",
        }),
        Panel("Temperature", "celsius", {"{{instance}}": "mouthpiece_lipsync_device_temperature_celsius"}),
        Panel("Energy for a second of video", "joule", {
            "{{engine}}": f"{rate('mouthpiece_lipsync_chunk_energy_joules_total', 'engine')}"
                          f" / ({rate('mouthpiece_lipsync_video_seconds_total', 'engine')} > 0)",
        }),
        Panel("Video encoder", "percentunit",
              {"{{instance}}": "mouthpiece_lipsync_device_encoder_utilization"}),
    ],
}  # fmt: skip


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    return {
        "uid": "mouthpiece",
        "title": "Mouthpiece",
        "tags": ["mouthpiece"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
            ]
        },
        "panels": _panels(),
    }


def _panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    top = 0
    for title, panels in BOARD.items():
        found.append(_row(len(found) + 1, title, top))
        for number, panel in enumerate(panels):
            line, column = divmod(number, COLUMNS)
            place = {"x": column * WIDTH, "y": top + 1 + line * HEIGHT, "w": WIDTH, "h": HEIGHT}
            found.append(_graph(len(found) + 1, panel, place))
        top += 1 + HEIGHT * -(-len(panels) // COLUMNS)
    return found


def _row(number: int, title: str, top: int) -> dict[str, Any]:
    place = {"x": 0, "y": top, "w": 24, "h": 1}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}


def _graph(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(65 + index), "expr": query, "legendFormat": legend, "datasource": DATASOURCE}
        for index, (legend, query) in enumerate(panel.queries.items())
    ]
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.meaning,
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "custom": {"fillOpacity": 10}},
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": targets,
    }


def prometheus_rule() -> str:
    """The rules as the Prometheus operator takes them."""
    lines = RULES.read_text(encoding="utf-8").splitlines()
    groups = [line for line in lines if not line.startswith("#")]
    return PROMETHEUS_RULE + "".join(f"  {line}".rstrip() + "\n" for line in groups)


def documents() -> dict[Path, str]:
    """Everything that is written, by file."""
    board = json.dumps(dashboard(), indent=1) + "\n"
    return {
        DEPLOY / "monitoring" / "dashboard.json": board,
        COMPONENT / "dashboard.json": board,
        COMPONENT / "rules.yaml": prometheus_rule(),
    }


def main() -> None:
    """Write, or check."""
    for path, text in documents().items():
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path.relative_to(DEPLOY.parent)} is stale: run python scripts/write_monitoring.py")


if __name__ == "__main__":
    main()
