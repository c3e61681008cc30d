# SPDX-License-Identifier: Apache-2.0
"""Metrics and alarm elsewhere: Prometheus scrapes every second, Alertmanager tells the keeper.

What is scraped is read from files, so that targets can be moved while all runs:
prometheus/flowfuse.json (the platform) and prometheus/targets/*.json (canaries). Both are lists of
{targets: ["host:port"], labels: {...}}; a label `__metrics_path__` replaces /metrics. A metric
`blackstart_canary` above 0 raises the alert BlackstartCanary, with all labels of the metric.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from blackstart.sandbox.layout import ADDRESSES, ELSEWHERE, PRODUCTION, Layout
from blackstart.sandbox.on_site import make_folder, put_file
from blackstart.world.files import write_durably

PROMETHEUS_PORT, ALERTMANAGER_PORT, KEEPER_PORT = 9090, 9093, 9094
KEEPER = "keeper"
_PROMETHEUS = """\
global: {{scrape_interval: 1s, scrape_timeout: 900ms, evaluation_interval: 1s}}
alerting: {{alertmanagers: [{{timeout: 2s, static_configs: [{{targets: ["{here}:{alarm}"]}}]}}]}}
rule_files: ["{folder}/rules.yml"]
scrape_configs:
  - job_name: flowfuse
    file_sd_configs: [{{files: ["{folder}/flowfuse.json"], refresh_interval: 1s}}]
  - job_name: canary
    file_sd_configs: [{{files: ["{folder}/targets/*.json"], refresh_interval: 1s}}]
"""
_RULES = """\
groups:
  - name: blackstart
    rules:
      - alert: FlowFuseDown
        expr: max(up{job="flowfuse"}) == 0 or absent(up{job="flowfuse"})
        for: 2s
        labels: {severity: critical}
        annotations: {summary: "no FlowFuse answers the scrape"}
      - alert: BlackstartCanary
        expr: blackstart_canary > 0
        labels: {severity: none}
        annotations: {summary: "a canary: alerting works"}
"""
_ALERTMANAGER = """\
route:
  receiver: {receiver}
  group_by: ["..."]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: nobody
  - name: {keeper}
    webhook_configs: [{{url: "http://{here}:{port}/", send_resolved: true}}]
"""


def prometheus_folder(layout: Layout) -> Path:
    """Return Prometheus's folder."""
    return layout.elsewhere / "prometheus"


def alertmanager_config(layout: Layout) -> Path:
    """Return the path of Alertmanager's configuration."""
    return layout.elsewhere / "alertmanager" / "alertmanager.yml"


def write_prometheus(layout: Layout) -> list[str]:
    """Write configuration, rules and targets; return the command that scrapes."""
    folder = make_folder(prometheus_folder(layout), "svc", 0o755)
    make_folder(folder / "targets", "svc", 0o755)
    here = ADDRESSES[ELSEWHERE]
    content = _PROMETHEUS.format(here=here, alarm=ALERTMANAGER_PORT, folder=folder)
    config = put_file(folder / "prometheus.yml", content, "svc", 0o644)
    put_file(folder / "rules.yml", _RULES, "svc", 0o644)
    scrape_platform_at(layout, ADDRESSES[PRODUCTION])
    return [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={make_folder(folder / 'tsdb', 'svc')}",
        "--storage.tsdb.retention.time=1d",
        f"--web.listen-address={here}:{PROMETHEUS_PORT}",
        "--log.level=warn",
    ]


def scrape_platform_at(layout: Layout, *addresses: str, metrics_path: str = "/metrics") -> None:
    """Scrape the platform at these addresses (FlowFuse's port unless one is given) from now on."""
    hosts = [one if ":" in one else f"{one}:3000" for one in addresses]
    labels = {"__metrics_path__": metrics_path}
    groups = [{"targets": [host], "labels": labels} for host in hosts]
    path = prometheus_folder(layout) / "flowfuse.json"
    write_durably(path, msgspec.json.encode(groups), mode=0o644)


def write_alertmanager(layout: Layout) -> list[str]:
    """Write the configuration; return the command that routes alerts."""
    config = alertmanager_config(layout)
    folder = make_folder(config.parent, "svc", 0o755)
    route_alerts_to(layout, KEEPER)
    return [
        "prometheus-alertmanager",
        f"--config.file={config}",
        f"--storage.path={make_folder(folder / 'state', 'svc')}",
        f"--web.listen-address={ADDRESSES[ELSEWHERE]}:{ALERTMANAGER_PORT}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]


def route_alerts_to(layout: Layout, receiver: str) -> None:
    """Write the configuration that sends every alert to this receiver ("nobody" drops all)."""
    content = _ALERTMANAGER.format(
        receiver=receiver, keeper=KEEPER, here=ADDRESSES[ELSEWHERE], port=KEEPER_PORT
    )
    put_file(alertmanager_config(layout), content, "svc", 0o644)


def watched(address: str) -> dict[str, str]:
    """Return the entry that says what Prometheus has to watch after a recovery."""
    here = f"http://{ADDRESSES[ELSEWHERE]}:{PROMETHEUS_PORT}"
    return {
        "name": "Prometheus",
        "kind": "monitoring_target",
        "new": address,
        "verification": f"{here}/api/v1/targets?state=active",
        "contains": f'"{address}"',
    }
