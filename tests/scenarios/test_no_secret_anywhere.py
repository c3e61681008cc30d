# SPDX-License-Identifier: Apache-2.0
"""A whole incident with secrets in every place where one can appear; then everything is searched.

The real command line and agent, providers that fail, break and print what they should not, kill -9
and SIGABRT, a umask that forbids nothing. What is left behind, what was said, and what a list of
processes showed meanwhile holds no secret, and nobody else may read a file of the home.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackstart.bootstrap import open_home
from blackstart.ports.secrets import SecretRef
from blackstart.sandbox.http_loop import Call, Loop, Reply
from blackstart.sandbox.slack_standin import SlackStandin
from blackstart.sandbox.slack_workspace import User, seed_workspace
from blackstart.world.clock import wait_until
from tests.agent_bench import ANSWERS, Agent, Installation
from tests.canaries import (
    canary,
    descendants,
    forms,
    leaks_below,
    leaks_in,
    loose_modes,
    seen_of,
)
from tests.leaking import install_leaking

ROOT = Path(__file__).parents[2]
RETRIED = {**ANSWERS, "stopped": "retry"}
PRINTS = """
import base64, json, os, pathlib, sys, urllib.parse
secret, flag = os.environ["TOKEN"], pathlib.Path(sys.argv[1])
print(secret, json.dumps(secret), urllib.parse.quote(secret), file=sys.stderr)
print(base64.encodebytes(("user:" + secret).encode()).decode(), file=sys.stderr)
if not flag.exists():
    flag.touch()
    raise SystemExit(f"cannot log in with {secret!r}")
print(json.dumps({"login": {"password": secret}}))
"""


class Scene:
    """The secrets, where they are kept, the servers that are asked, and the installation."""

    def __init__(self, root: Path) -> None:
        self.secrets = {name: canary(name) for name in ("env", "file", "bearer", "slack", "act")}
        self.vault = root / "vault"
        self.vault.mkdir(mode=0o700)
        for name in ("file", "bearer", "act"):
            (self.vault / name).write_text(self.secrets[name])
        self.secrets["slack"] = token = f"xoxb-{os.urandom(12).hex()}"
        (self.vault / "slack").write_text(token + "\n")
        folder = root / "slack"
        bot = User(id="U0BOT", name="blackstart", is_bot=True)
        seed_workspace(folder, tokens={token: "U0BOT"}, users=(bot,), channels=("incident",))
        self.slack = Loop("127.0.0.1", 0, SlackStandin(folder).answer)
        self.echo = Loop("127.0.0.1", 0, self.repeat)
        self.asked = 0
        self.shop = self.installation(root)

    def repeat(self, call: Call) -> Reply:
        """Answer with what the caller sent, as a careless server does; the first time in error."""
        self.asked += 1
        status = 500 if self.asked == 1 else 200
        return Reply(status=status, body=call.headers["authorization"].encode("latin-1"))

    def ref(self, name: str) -> str:
        return f"secret:file{self.vault / name}"

    def installation(self, root: Path) -> Installation:
        place = root / "shop"
        shop = Installation(root=place)
        prints = shop.command(
            [sys.executable, "-c", PRINTS, str(place / "flag")],
            secret_env={"TOKEN": "secret:env/CANARY"},
            prints_json=True,
            value_at="login.password",
        )
        url = f"http://127.0.0.1:{self.echo.port}/"
        bearer = {"url": url, "bearer": self.ref("bearer"), "contains": "Bearer"}
        held = f"touch {place}/begun; while [ ! -e {place}/go ]; do sleep 0.05; done"
        slow = shop.effect("verify_platform", before=held)
        slow["params"]["repeatable"] = True
        act = {"secret": self.ref("act"), "folder": str(place)}
        slack = {"channel": "#incident", "token": self.ref("slack"), "timeout_s": 2}
        base = f"http://127.0.0.1:{self.slack.port}/api/"
        made = {"names": ["database_password", "cookie_secret"]}
        return Installation(
            root=place,
            environment={
                "CANARY": self.secrets["env"],
                "PYTHONPATH": f"{install_leaking(root / 'plugins')}:{ROOT}",
            },
            settings={"users": self.ref("file")},
            channels={"incident": {"use": "slack.post", "base_url": base, **slack}},
            vantages={"here": {"run": ["env"]}},
            do={
                "create_environment": [{"use": "secrets.generate", "params": made}],
                "secure_environment": [{"use": "leaking.act", "params": act}],
                "deploy_platform": [prints],
                "restore_data": [{"use": "http.expect", "params": bearer}],
                "verify_platform": [slow],
                "update_dns": [
                    {"use": "leaking.look", "vantage": "here", "params": {"secret": act["secret"]}}
                ],
            },
        )

    def close(self) -> None:
        self.slack.stop()
        self.echo.stop()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    before = os.umask(0)
    try:
        made = Scene(tmp_path)
        yield made
        made.close()
    finally:
        os.umask(before)


def shown_of(agent: Agent) -> bytes:
    """Return what a list of processes shows of the agent and of all that it started."""
    words = seen_of(agent.pid, with_environment=False)
    return words + b"".join(seen_of(pid) for pid in descendants(agent.pid))


def test_nothing_that_is_left_said_or_listed_holds_a_secret(scene: Scene) -> None:
    shop, said = scene.shop, bytearray()
    shop.report()
    with shop.agent(before=["prlimit", "--core=unlimited"]) as agent:
        begun = shop.root / "begun"
        shop.reaches(lambda _: begun.exists(), says=RETRIED)
        assert wait_until(lambda: bool(descendants(agent.pid)), timeout_s=20)
        listed = shown_of(agent)
        assert b"sleep" in listed
        assert leaks_in(listed, scene.secrets) == []
        limits = Path(f"/proc/{agent.pid}/limits").read_text()
        assert any(
            line.split()[4:6] == ["1", "1"] for line in limits.splitlines() if "core" in line
        )
        agent.process.send_signal(signal.SIGABRT)
        assert agent.process.wait(timeout=30) == -signal.SIGABRT
        said += agent.heard
    begun.unlink()
    with shop.agent() as agent:
        shop.reaches(lambda _: begun.exists(), says=RETRIED)
        agent.process.kill()
        agent.process.wait()
        said += agent.heard
    (shop.root / "go").touch()
    with shop.agent() as agent:
        shop.reaches(
            lambda i: any(run.step("update_dns").state == "failed" for run in i.runs.values()),
            says=ANSWERS,
        )
        for words in (
            ["status"],
            ["status", "--json"],
            ["timeline"],
            ["timeline", "--json"],
            ["postmortem"],
            ["recover", "."],
            ["journal", "verify"],
            ["show", "--effective"],
        ):
            done = shop.run(*words)
            assert done.stdout or done.stderr
            said += f"{done.stdout}{done.stderr}".encode()
        assert agent.stop() == 0
        said += agent.heard
    made = scene.secrets | made_by(shop)
    assert leaks_in(bytes(said), made) == []
    assert leaks_below(shop.root, made) == []
    assert loose_modes(shop.home) == []
    assert b"secret:env/CANARY" in every_byte(shop.root)
    plant_and_find(shop.home, made)


def made_by(shop: Installation) -> dict[str, str]:
    """Return the secrets that the run made."""
    home = open_home(shop.home)
    refs = [f"secret:run/{p.parent.name}/{p.name}" for p in (shop.home / "secrets").glob("*/*")]
    assert len(refs) == 2
    try:
        return {ref: home.secrets.reveal(SecretRef(ref)) for ref in refs}
    finally:
        home.journal.close()


def every_byte(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def plant_and_find(home: Path, secrets: dict[str, str]) -> None:
    """The search is not blind: a leak in any form, and a file that is open to others, show."""
    planted = home / "evidence" / "planted"
    for name, secret in secrets.items():
        for form in forms(secret):
            planted.write_bytes(b"x" * 7 + form + b"y" * 7)
            assert any(line.endswith(f": {name}") for line in leaks_below(home, secrets)), form
        half = len(secret) // 2
        planted.write_text(f"{secret[:half]}\n   {secret[half:]}")
        assert leaks_below(home, secrets) == [f"{planted}: {name}"]
    assert loose_modes(home) == [f"{planted}: 666"]
