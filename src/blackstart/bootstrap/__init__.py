# SPDX-License-Identifier: Apache-2.0
"""The one place that knows everybody: puts an installation together from its parts."""

from blackstart.bootstrap.home import Home, open_home
from blackstart.bootstrap.incidents import (
    WATCH,
    amend_plan,
    give_answer,
    house_of,
    in_force,
    incident_named,
    incidents,
    order,
    pinned_plan,
    read_incidents,
    report_incident,
)
from blackstart.bootstrap.proofs import prove_backup, watching
from blackstart.bootstrap.verbs import (
    absent_secrets,
    compile_for,
    read_located_plan,
    read_plan,
    read_plan_bytes,
    shapes,
)
from blackstart.engine.offered import load_verbs

__all__ = [
    "WATCH",
    "Home",
    "absent_secrets",
    "amend_plan",
    "compile_for",
    "give_answer",
    "house_of",
    "in_force",
    "incident_named",
    "incidents",
    "load_verbs",
    "open_home",
    "order",
    "pinned_plan",
    "prove_backup",
    "read_incidents",
    "read_located_plan",
    "read_plan",
    "read_plan_bytes",
    "report_incident",
    "shapes",
    "watching",
]
