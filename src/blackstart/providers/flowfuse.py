# SPDX-License-Identifier: Apache-2.0
"""FlowFuse 2.4 with the localfs driver: every verb, gathered from the files that hold them."""

from __future__ import annotations

from collections.abc import Mapping

from blackstart.providers.flowfuse_checks import (
    ExpectCounts,
    ExpectFlows,
    ExpectLogin,
    ExpectSafeAccounts,
)
from blackstart.providers.flowfuse_exceptions import ExpectNoExceptions
from blackstart.providers.flowfuse_install import Configure, Install
from blackstart.providers.flowfuse_public import ExpectPublic
from blackstart.providers.flowfuse_release import ExpectRelease
from blackstart.providers.flowfuse_restored import (
    ExpectCredentials,
    ExpectRelocated,
    Relocate,
    RotateSessions,
)
from blackstart.providers.flowfuse_run import ExpectStable, Start, StartInstances
from blackstart.providers.flowfuse_unserved import ExpectUnserved

PROVIDES: Mapping[str, type] = {
    "install": Install,
    "configure": Configure,
    "relocate": Relocate,
    "expect_relocated": ExpectRelocated,
    "expect_credentials": ExpectCredentials,
    "expect_release": ExpectRelease,
    "rotate_sessions": RotateSessions,
    "start": Start,
    "start_instances": StartInstances,
    "expect_login": ExpectLogin,
    "expect_counts": ExpectCounts,
    "expect_flows": ExpectFlows,
    "expect_stable": ExpectStable,
    "expect_safe_accounts": ExpectSafeAccounts,
    "expect_public": ExpectPublic,
    "expect_no_exceptions": ExpectNoExceptions,
    "expect_unserved": ExpectUnserved,
}
