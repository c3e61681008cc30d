# SPDX-License-Identifier: Apache-2.0
"""The procedure as a Mermaid flowchart: steps, gates, what waits for what, the critical path.

Format: https://mermaid.js.org/syntax/flowchart.html
"""

from __future__ import annotations

from collections.abc import Iterator

from blackstart.model.graph import critical_path
from blackstart.model.runbook import MANUAL, Runbook, StepSpec
from blackstart.model.words import say_count, say_duration

_ESCAPES = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"}


def flowchart(runbook: Runbook) -> str:
    """Return the text of the chart; what lies on the critical path is drawn thick."""
    _, path = critical_path(runbook)
    critical = list(dict.fromkeys(name.partition(".")[0] for name in path))
    lines = [f"%% {_text(runbook.system)} to {_text(runbook.target)}", "flowchart TD"]
    for step in runbook.steps:
        lines += _nodes_of(step)
    for step in runbook.steps:
        lines += _edges_of(step, critical)
    lines.append("    classDef critical stroke-width:4px")
    if critical:
        lines.append(f"    class {','.join(map(_id, critical))} critical")
    return "\n".join(lines) + "\n"


def _nodes_of(step: StepSpec) -> Iterator[str]:
    took = say_duration(sum(action.expected_s for action in step.do))
    is_by_hand = bool(step.do) and all(action.use == MANUAL for action in step.do)
    what = f"{say_count(len(step.do), 'action')}, {took}{', by hand' if is_by_hand else ''}"
    label = f"{_text(step.title)}<br/>{what}"
    yield f'    {_id(step.name)}[/"{label}"/]' if is_by_hand else f'    {_id(step.name)}["{label}"]'
    if step.gate:
        yield f'    {_gate(step.name)}{{"{_text(step.gate)}: go?"}}'


def _edges_of(step: StepSpec, critical: list[str]) -> Iterator[str]:
    entry = _gate(step.name) if step.gate else _id(step.name)
    for before in step.after:
        is_critical = step.name in critical and before in critical
        follows = is_critical and critical.index(step.name) == critical.index(before) + 1
        yield f"    {_id(before)} {'==>' if follows else '-->'} {entry}"
    if step.gate:
        yield f"    {entry} {'==>' if step.name in critical else '-->'} {_id(step.name)}"
    others = {ref.partition(".")[0] for action in step.do for ref in action.after}
    for before in sorted(others - {step.name, *step.after}):
        yield f"    {_id(before)} -.-> {_id(step.name)}"


def _id(name: str) -> str:
    """Return a name that is no word of Mermaid's own, such as `end`."""
    return "s_" + name.replace("-", "_")


def _gate(step: str) -> str:
    return "g_" + step.replace("-", "_")


def _text(text: str) -> str:
    return "".join(_ESCAPES.get(sign, sign) for sign in " ".join(text.split()))
