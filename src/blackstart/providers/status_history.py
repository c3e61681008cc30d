# SPDX-License-Identifier: Apache-2.0
"""The status page's incidents: read from the published JSON, added to, and written as JSON again.

Shape: Statuspage public API v2 (metastatuspage.com/api): page, status, components, incidents with
incident_updates. `incidents.json` holds all of them; `summary.json` only the unresolved ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import msgspec

from blackstart.ports.channel import Message

_MOST_INCIDENTS = 100
RESOLVED = "resolved"


class PageUnreadable(Exception):
    """The published JSON is not what we wrote; publishing over it would lose history."""


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was said, newest first in its incident."""

    id: str
    status: str  # investigating, identified, monitoring, resolved
    title: str
    body: str
    created_at: str
    incident_id: str

    @property
    def moment(self) -> datetime:
        """When it was said."""
        return datetime.fromisoformat(self.created_at)


class PageIncident(msgspec.Struct, frozen=True, kw_only=True):
    """One incident as the page tells it. `impact` is none, minor, major or critical."""

    id: str
    name: str
    status: str
    impact: str
    created_at: str
    updated_at: str
    incident_updates: list[Update]
    resolved_at: str | None = None

    @property
    def is_open(self) -> bool:
        """Say whether it is not resolved yet."""
        return self.status != RESOLVED


class _Published(msgspec.Struct):
    incidents: list[PageIncident]


def update_id_of(key: str) -> str:
    """Return the public name of an update: nobody can read the key out of it."""
    return "u" + sha256(key.encode()).hexdigest()[:24]


def read_incidents(folder: Path) -> tuple[PageIncident, ...]:
    """Return the incidents that the page shows, newest first. Raises PageUnreadable."""
    path = folder / "api" / "v2" / "incidents.json"
    try:
        return tuple(msgspec.json.decode(path.read_bytes(), type=_Published).incidents)
    except FileNotFoundError:
        return ()
    except msgspec.MsgspecError as wrong:
        raise PageUnreadable(f"{path} is damaged: {wrong}; move it away to begin anew") from wrong


def holds(incidents: Iterable[PageIncident], update_id: str) -> bool:
    """Say whether an update is among the incidents."""
    return any(
        update.id == update_id for incident in incidents for update in incident.incident_updates
    )


def add_update(
    incidents: Sequence[PageIncident],
    message: Message,
    update_id: str,
    now: datetime,
) -> tuple[PageIncident, ...]:
    """Return the incidents with the message added, once, to the incident that it belongs to."""
    if holds(incidents, update_id):
        return tuple(incidents)
    at = now.isoformat(timespec="seconds")
    known = {incident.id: incident for incident in incidents}
    before = known.get(message.incident)
    status = _status_after(message.tone, before)
    update = Update(
        id=update_id,
        status=status,
        title=message.subject,
        body=message.body,
        created_at=at,
        incident_id=message.incident,
    )
    earlier = before.incident_updates if before else []
    changed = PageIncident(
        id=message.incident,
        name=before.name if before else message.subject,
        status=status,
        impact="critical" if message.tone == "bad" else before.impact if before else "minor",
        created_at=before.created_at if before else at,
        updated_at=at,
        resolved_at=at if status == RESOLVED else None,
        incident_updates=[update, *earlier],
    )
    others = [incident for incident in incidents if incident.id != message.incident]
    return (changed, *others)[:_MOST_INCIDENTS]


def _status_after(tone: str, before: PageIncident | None) -> str:
    """Return the incident's status: only good news resolves, only bad news opens it again."""
    if tone == "good":
        return RESOLVED
    if tone == "bad" or before is None:
        return "investigating" if before is None or not before.is_open else "identified"
    return before.status


def files_of(
    incidents: Sequence[PageIncident], *, page: str, component: str, url: str, now: datetime
) -> Mapping[str, bytes]:
    """Return every JSON file by its name; the one that history is read from comes first."""
    at = now.isoformat(timespec="seconds")
    about = {"id": "blackstart", "name": page, "url": url, "time_zone": "Etc/UTC", "updated_at": at}
    indicator, description, state = _overall(incidents, component)
    status = {"indicator": indicator, "description": description}
    summary = {
        "page": about,
        "status": status,
        "components": [
            {
                "id": "platform",
                "name": component,
                "status": state,
                "updated_at": incidents[0].updated_at if incidents else at,
                "position": 1,
                "group": False,
            }
        ],
        "incidents": [incident for incident in incidents if incident.is_open],
        "scheduled_maintenances": [],
    }
    encoded = msgspec.json.format(msgspec.json.encode(summary))
    return {
        "api/v2/incidents.json": msgspec.json.encode({"page": about, "incidents": incidents}),
        "api/v2/summary.json": encoded,
        "api/v2/status.json": msgspec.json.encode({"page": about, "status": status}),
        "status.json": encoded,
    }


def _overall(incidents: Sequence[PageIncident], component: str) -> tuple[str, str, str]:
    """Return indicator, its sentence and the component's state: the worst of what is open."""
    impacts = {incident.impact for incident in incidents if incident.is_open}
    if not impacts:
        return "none", f"No incident of {component} is open", "operational"
    if "critical" in impacts:
        return "critical", f"{component} is not available", "major_outage"
    return "minor", f"An incident of {component} is open", "degraded_performance"
