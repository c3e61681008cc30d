# SPDX-License-Identifier: Apache-2.0
"""The status page as one HTML file that needs nothing else and says how old it is.

It claims nothing that nobody published: without an open incident it says just that. A few lines of
script in the page itself tell the reader how long ago it was published; without script the time
stands there. Every text is escaped by the template engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from jinja2 import Environment

from blackstart.providers.status_history import PageIncident

_TEMPLATE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta http-equiv="refresh" content="60">
<title>{{ headline }} · {{ page }}</title>
<style>
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #57606a; --line: #d0d7de; }
@media (prefers-color-scheme: dark) {
 :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9198a1; --line: #30363d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 44rem; padding: 1.25rem; color: var(--ink);
 background: var(--paper); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.1rem; color: var(--soft); font-weight: 600; margin: 0 0 1rem; }
.now { border-radius: .5rem; padding: 1rem; color: #fff; font-size: 1.25rem; font-weight: 600; }
.bad { background: #b42318; } .open { background: #8a5a00; } .calm { background: #1a7f37; }
.small, time { color: var(--soft); font-size: .875rem; }
.late { color: #b42318; font-weight: 600; }
article { border-top: 1px solid var(--line); margin-top: 1.5rem; }
h2 { font-size: 1.1rem; margin: 1rem 0 .25rem; } h3 { font-size: 1rem; margin: 1rem 0 0; }
p { margin: .25rem 0; } .said { white-space: pre-line; }
</style>
</head>
<body>
<h1>{{ page }}</h1>
<p class="now {{ colour }}">{{ headline }}</p>
<p class="small">This page was published at
<time id="published" datetime="{{ now.isoformat() }}">{{ said(now) }}</time><span id="ago"></span>.
It holds what was published by people and by their recovery plan; it measures nothing itself.</p>
{% if next_by %}
<p class="small" id="next">Next update by
<time id="due" datetime="{{ next_by.isoformat() }}">{{ said(next_by) }}</time>.</p>
{% endif %}
{% for incident in incidents %}
<article>
<h2>{{ incident.name }}</h2>
<p class="small">{{ "Resolved" if not incident.is_open else "Open" }} ·
 incident {{ incident.id }}</p>
{% for update in incident.incident_updates %}
<section id="{{ update.id }}">
<h3>{{ update.title }}</h3>
<time datetime="{{ update.created_at }}">{{ said(update.moment) }} · {{ update.status }}</time>
<p class="said">{{ update.body }}</p>
</section>
{% endfor %}
</article>
{% else %}
<p>No incident was ever published here.</p>
{% endfor %}
<script>
"use strict";
const age = Math.round((Date.now() - Date.parse(
  document.getElementById("published").dateTime)) / 60000);
document.getElementById("ago").textContent =
  age < 1 ? " (just now)" : " (" + (age < 120 ? age + " minutes" : Math.round(age / 60) + " hours")
  + " ago)";
const due = document.getElementById("due");
if (due && Date.now() > Date.parse(due.dateTime)) {
  const next = document.getElementById("next");
  next.className = "late";
  next.append(" It is overdue.");
}
</script>
</body>
</html>
"""


def render_page(
    incidents: Sequence[PageIncident],
    *,
    page: str,
    component: str,
    now: datetime,
    cadence_s: float,
) -> bytes:
    """Return the page as UTF-8. `now` is UTC; `cadence_s` 0 promises no next update."""
    still_open = [incident for incident in incidents if incident.is_open]
    headline, colour = f"No incident of {component} is open", "calm"
    if still_open:
        worst = [incident for incident in still_open if incident.impact == "critical"]
        newest = (worst or still_open)[0].incident_updates[0]
        headline, colour = newest.title, "bad" if worst else "open"
    text = _PAGE.render(
        page=page,
        headline=headline,
        colour=colour,
        now=now,
        next_by=now + timedelta(seconds=cadence_s) if still_open and cadence_s > 0 else None,
        incidents=incidents,
        said=_said,
    )
    return text.encode()


def _said(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")


_PAGE = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_TEMPLATE)
