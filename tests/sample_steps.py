# SPDX-License-Identifier: Apache-2.0
"""The ten steps of the sample drill: what each action takes, is expected to take and says."""

from __future__ import annotations

from dataclasses import dataclass

from blackstart.model.runbook import (
    ASSESS_IMPACT,
    POLICY_STEPS,
    ActionSpec,
    NoticeSpec,
    Phase,
    Runbook,
    StepSpec,
)

SYSTEM = "flowfuse-cloud"
# action | verb | seconds it takes | seconds expected | what it waits for | what it says
_TABLE = """
assess_impact
  outside | damage.outside | 1.02 | 2 |  | The public name gives no answer; 0 of 2 instances answer.
  site | damage.site | 0.04 | 1 |  | Site production is gone: no process, no files.
  backups | damage.backups | 0.91 | 2 |  | 2 backups intact, WAL received up to 03:02:11.
notify_users
  roster | roster.open | 0.06 | 1 |  | 4 affected users read from the roster kept elsewhere.
assess_damage
  outside | damage.outside | 1.04 | 2 |  | The public name gives no answer; 0 of 2 instances answer.
  site | damage.site | 0.05 | 1 |  | Site production is gone: no process, no files.
  backups | damage.backups | 0.88 | 2 |  | 2 backups intact, WAL without gaps to 03:02:11.
  choose_point | pgbackrest.choose_point | 0.62 | 2 | outside, site, backups | Newest one chosen.
create_environment after assess_damage
  fence | site.fence | 0.21 | 1 |  | Old site fenced: it can neither serve nor write.
  site | site.create | 0.93 | 2 | fence | Site recovery made at its own address.
  secrets | secrets.generate | 0.03 | 1 |  | 4 new secrets sealed.
  certificate | tls.issue | 0.24 | 1 | site | Certificate issued, valid for 90 days.
secure_environment after create_environment
  firewall | site.firewall | 0.12 | 1 |  | Input is refused but for 443 and 12080-12099.
  hold | front.hold | 0.34 | 1 | firewall | The front answers 503 on every path.
  listeners | site.listeners | 0.09 | 1 | hold | 3 listeners, all expected.
  reachable | tcp.only | 1.31 | 2 | hold | From outside only 443 and 12080-12099 are reached.
  certificate | tls.expect | 0.11 | 1 | hold | The certificate fits the name and is trusted.
  held | http.expect | 0.08 | 1 | hold | 503 from outside, as wanted.
  modes | site.expect_modes | 0.03 | 1 |  | 3 paths have the wanted modes.
deploy_platform after secure_environment
  install | flowfuse.install | 8.74 | 15 |  | FlowFuse 2.4.0 unpacked (1,312 MB), hash as pinned.
  configure | flowfuse.configure | 0.18 | 1 | install | Configured, not started.
restore_data after secure_environment
  database | pgbackrest.restore | 4.96 | 5 |  | 96.2 MB restored, 7 files of WAL added.
  promote | postgres.promote | 2.81 | 5 | database | Promoted, recovered to 03:02:11.180.
  relocate | flowfuse.relocate | 0.22 | 1 | promote | 2 instances, 1 stack point to the new site.
  relocated | flowfuse.expect_relocated | 0.09 | 1 | relocate | No old path is left in 11 tables.
  credentials | flowfuse.expect_credentials | 0.31 | 1 | relocate | The credentials decrypt.
  rotate | flowfuse.rotate_sessions | 0.12 | 1 | relocate | 3 sessions ended, secret replaced.
  start | flowfuse.start | 5.87 | 8 | relocated, credentials, rotate, deploy_platform | It answers.
  instances | flowfuse.start_instances | 7.66 | 15 | start | 2 of 2 instances run.
verify_platform after restore_data, deploy_platform
  login | flowfuse.expect_login | 0.21 | 1 |  | An old password logs in.
  counts | flowfuse.expect_counts | 0.18 | 1 |  | 2 teams, 4 users, 2 instances: as in the manifest.
  flows | flowfuse.expect_flows | 0.44 | 2 |  | 3 of 3 flows answer, one with its credential.
  stable | flowfuse.expect_stable | 5.04 | 6 |  | Nothing restarted for 5 s.
  backup | pgbackrest.backup | 4.12 | 8 |  | First backup of the new site: 23.9 MB.
verify_observability after restore_data
  ship | logs.ship | 0.31 | 1 |  | Logs go to the central server over TLS.
  scrape | prometheus.scrape | 0.05 | 1 |  | Prometheus scrapes the new site.
  log | logs.expect_canary | 0.62 | 2 | ship | Canary log line found after 0.4 s.
  metric | prometheus.expect_canary | 1.43 | 3 | scrape | Canary metric found after 1.2 s.
  alert | alertmanager.expect_canary | 2.35 | 3 | scrape | Canary alert found after 2.2 s.
  accounts | flowfuse.expect_safe_accounts | 0.22 | 1 |  | No default account, sign-up is closed.
  listeners | site.listeners | 0.08 | 1 | metric, alert | 9 listeners, all expected.
  reachable | tcp.only | 1.33 | 2 | listeners | From outside only 443 and 12080-12099 are reached.
update_dns after verify_platform, verify_observability
  admit | front.admit | 0.31 | 1 |  | The front lets users in.
  record | dns.replace | 0.06 | 1 | admit | A record replaced, 5 s to live, rollback prepared.
  answers | dns.expect | 0.04 | 1 | record | The authoritative server gives the new address.
  serves | flowfuse.expect_public | 2.87 | 8 | answers | From outside: 2 of 2 instances answer.
announce_recovery after update_dns
"""
_NOTICES = {"notify_users": "outage", "announce_recovery": "recovered"}


@dataclass(frozen=True, slots=True)
class Act:
    """One action of the sample."""

    name: str
    use: str
    takes_s: float
    expected_s: float
    after: tuple[str, ...]
    says: str


@dataclass(frozen=True, slots=True)
class Line:
    """One step of the sample."""

    name: str
    after: tuple[str, ...]
    acts: tuple[Act, ...]
    notice: str


def sample_lines() -> tuple[Line, ...]:
    """Return the steps in the policy's order."""
    found: list[Line] = []
    for text in _TABLE.strip().splitlines():
        if text.startswith(" "):
            last = found.pop()
            found.append(Line(last.name, last.after, (*last.acts, _act(text)), last.notice))
        else:
            name, _, after = text.partition(" after ")
            found.append(Line(name, _names(after), (), _NOTICES.get(name, "")))
    return tuple(found)


def _act(text: str) -> Act:
    name, use, takes_s, expected_s, after, says = (part.strip() for part in text.split("|"))
    return Act(name, use, float(takes_s), float(expected_s), _names(after), says)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def sample_runbook() -> Runbook:
    """Return the compiled runbook that the sample drill follows."""
    steps = tuple(_spec(line) for line in sample_lines())
    return Runbook(system=SYSTEM, target="drill", steps=steps)


def _spec(line: Line) -> StepSpec:
    own = {act.name for act in line.acts}
    channels = (("users", "affected"), ("status", "everyone")) if line.notice else ()
    return StepSpec(
        name=line.name,
        title=POLICY_STEPS.get(line.name, "Assess impact"),
        phase=Phase.NOTIFICATION if line.name == ASSESS_IMPACT else Phase.RECOVERY,
        after=line.after,
        do=tuple(
            ActionSpec(
                name=act.name,
                use=act.use,
                expected_s=act.expected_s,
                after=tuple(f"{line.name}.{each}" if each in own else each for each in act.after),
            )
            for act in line.acts
        ),
        notices=tuple(
            NoticeSpec(kind=line.notice, channel=channel, audience=audience)
            for channel, audience in channels
        ),
        gate="incident_commander" if line.name == "update_dns" else "",
        blocking=not line.notice,
    )
