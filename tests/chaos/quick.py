# SPDX-License-Identifier: Apache-2.0
"""The world of one quick day: stand-ins on loopback, a folder, and a plan of quick real verbs.

Everything that an action does there can be counted afterwards.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

from blackstart.sandbox.http_loop import Call, Loop, Reply
from blackstart.sandbox.layout import Layout
from blackstart.sandbox.mail_standin import MailStandin
from blackstart.sandbox.slack_standin import SlackStandin
from blackstart.sandbox.slack_workspace import User, seed_workspace
from blackstart.world.sites import destroy_site, read_record
from tests.conformance.authority import KEY_NAME, SECRET, Authority
from tests.postgres_bench import PASSWORD, Server

SYSTEM = "shop"
COMMANDER, DEPUTY, CEO = "ada", "ben", "eve"
NAME = "shop.chaos.test"
OLD_ADDRESS, NEW_ADDRESS = "10.0.0.1", "10.0.0.2"
_SLACK_TOKEN = "xoxb-chaos"
_TREE_FILES, _FILE_BYTES = 24, 131_072

# A command's work, in parts so that a death can fall between them. The lock is held as long as any
# process of it lives; a second one that works beside it is written down. What it does bears the
# name of the attempt.
_COMMAND = """\
exec 9>"$1.lock"
flock -n 9 || echo "$BLACKSTART_KEY" >>"$1.doubled"
sleep 0.1
echo "$BLACKSTART_KEY" >>"$1"
sleep 0.3
"""
_FLAKY = 'test -e "$1" || { echo "not repaired yet" >&2; exit 7; }'

_PLAN = Template(Path(__file__).with_name("quick.yaml").read_text())


@dataclass(frozen=True, slots=True, kw_only=True)
class Quick:
    """The folder of a day, and what stands around it."""

    root: Path
    schema: str
    server: Server
    authority: Authority

    @property
    def home(self) -> Path:
        """Blackstart's folder."""
        return self.root / "home"

    @property
    def plan(self) -> Path:
        """The plan file."""
        return self.root / "blackstart.yaml"

    @property
    def site(self) -> Path:
        """The folder of the new site."""
        return self.root / "sites" / "recovery"


@contextmanager
def opened_quick(root: Path, server: Server) -> Iterator[Quick]:
    """Lay a day out, and take everything of it away at the end; its folder stays."""
    schema = f"day_{root.name.replace('-', '_')}"
    server.sql(f"CREATE SCHEMA {schema} AUTHORIZATION owner; CREATE TABLE {schema}.rows (n int);")
    server.sql(f"ALTER TABLE {schema}.rows OWNER TO owner;")
    with ExitStack() as ends:
        authority = ends.enter_context(Authority(f"{NAME}. 5 A {OLD_ADDRESS}"))
        slack = _start_slack(root)
        ends.callback(slack.stop)
        mail = MailStandin("127.0.0.1", 0, Layout(root).elsewhere / "mail")
        ends.callback(mail.stop)
        web = Loop("127.0.0.1", 0, _held)
        ends.callback(web.stop)
        ends.callback(_end_site, root)
        ports = {"slack": slack.port, "mail": mail.port, "web": web.port}
        _write_inputs(root)
        (root / "blackstart.yaml").write_text(_plan_text(root, schema, server, authority, ports))
        yield Quick(root=root, schema=schema, server=server, authority=authority)


def _held(_call: Call) -> Reply:
    return Reply(status=503)


def _start_slack(root: Path) -> Loop:
    users = (
        User(id="U0BOT", name="blackstart", is_bot=True),
        *(User(id=f"U0{n}", name=name) for n, name in enumerate((COMMANDER, DEPUTY, CEO), 1)),
    )
    folder = Layout(root).elsewhere / "slack"
    seed_workspace(folder, tokens={_SLACK_TOKEN: "U0BOT"}, users=users, channels=("incident",))
    return Loop("127.0.0.1", 0, SlackStandin(folder).answer)


def _write_inputs(root: Path) -> None:
    (root / "sites").mkdir()
    (root / "status").mkdir()
    for name, text in (
        ("slack.token", _SLACK_TOKEN),
        ("postgres.password", PASSWORD),
        ("dns.key", SECRET),
        ("app.conf", "port=${port}\n"),
        ("work.sh", _COMMAND),
        ("seen.txt", "looked at by hand"),
    ):
        (root / name).write_text(text)
    for secret in ("slack.token", "postgres.password", "dns.key"):
        (root / secret).chmod(0o600)
    (root / "tree").mkdir()
    for number in range(_TREE_FILES):
        (root / "tree" / f"{number:03}").write_bytes(bytes([number]) * _FILE_BYTES)


def _plan_text(
    root: Path, schema: str, server: Server, authority: Authority, ports: dict[str, int]
) -> str:
    return _PLAN.safe_substitute(
        {name: str(port) for name, port in ports.items()},
        root=root,
        name=NAME,
        schema=schema,
        postgres=server.port,
        dns=authority.port,
        key_name=KEY_NAME,
        new_address=NEW_ADDRESS,
        python=sys.executable,
        flaky=json.dumps(_FLAKY)[1:-1],
    )


def _end_site(root: Path) -> None:
    site = read_record(root / "sites" / "recovery")
    if site is not None:
        destroy_site(site)
