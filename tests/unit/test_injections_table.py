# SPDX-License-Identifier: Apache-2.0
"""The table of injections says of each what it breaks and where a drill has to stop."""

from __future__ import annotations

import pytest

from blackstart.model.errors import Refused
from blackstart.sandbox.injections import INJECTIONS, injection_named


def test_the_first_five_are_there_and_each_says_where_to_stop() -> None:
    stops = {name: injection.expected_stop for name, injection in INJECTIONS.items()}
    assert stops == {
        "wrong-credential-secret": "restore_data.credentials",
        "stale-path": "restore_data.relocated",
        "open-listener": "verify_observability.listeners",
        "alert-route-missing": "verify_observability.alert",
        "dns-update-refused": "update_dns.record",
    }
    assert all(injection.what for injection in INJECTIONS.values())


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    assert injection_named("stale-path").name == "stale-path"
    with pytest.raises(Refused, match="open-listener"):
        injection_named("no-such-thing")
