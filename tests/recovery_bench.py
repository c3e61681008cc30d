# SPDX-License-Identifier: Apache-2.0
"""A place for the recovery's actions: a hub, a look-out, the backups; production is not there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any

from blackstart.ports.action import Action, Check, Context, Done, Failed, NotDone
from blackstart.ports.secrets import SecretRef
from blackstart.providers.places import Workplace, look_into
from blackstart.sandbox.layout import ADDRESSES, PUBLIC_NAME, STANZA, Layout, cache_folder, new_run
from blackstart.sandbox.packages import Prepared, prepare
from blackstart.sandbox.production import lay_out_elsewhere
from blackstart.sandbox.secrets_kept import SandboxSecrets, load_secrets
from blackstart.sandbox.seed import make_seed
from blackstart.sandbox.sweep import remove_run
from blackstart.world.http import FetchFailed, fetch
from blackstart.world.sites import Site, create_site
from tests.provider_stage import Stage

NEW = {"owner": "a-new-owner-password", "cookie": "a-new-cookie-secret", "repo": "a-new-key"}


def ref(name: str) -> SecretRef:
    return SecretRef(f"secret:test/{name}")


@dataclass
class Bench:
    """A place with a hub, a look-out and everything that survived; production was never there."""

    layout: Layout
    prepared: Prepared
    outside: Site
    kept: SandboxSecrets
    stage: Stage
    attempts: int = 0

    @property
    def manifest(self) -> str:
        return str(self.layout.backup / "manifest.json")

    def of(self, verb: str, **params: object) -> Any:
        """Return the verb with these parameters, and the bench's own for all others it has."""
        provider, _, name = verb.partition(".")
        kind = import_module(f"blackstart.providers.{provider}").PROVIDES[name]
        own = {
            "place": str(self.layout.sites),
            "site": "recovery",
            "public_name": PUBLIC_NAME,
            "directory": str(self.layout.sites / "recovery" / "front"),
            "manifest": self.manifest,
            "packages": str(self.prepared.usr),
            "repository": str(self.layout.backup / "repo"),
            "repository_key": ref("key"),
            "stanza": STANZA,
            "ca_certificate": str(self.layout.pki / "ca.pem"),
        }
        wanted = {field.name for field in fields(kind)}
        return kind(**{**{key: own[key] for key in own if key in wanted}, **params})

    def context(self, *, limit_s: float = 90.0) -> Context:
        self.attempts += 1
        return self.stage.context(key=f"inc-1/run-1/step/act/{self.attempts}", limit_s=limit_s)

    def done(self, action: Action) -> Done:
        """Perform, and see that the attempt is found by its key afterwards and not before."""
        context = self.context()
        assert isinstance(action.inspect(context), NotDone)
        outcome = action.perform(context)
        assert isinstance(outcome, Done), outcome
        assert set(outcome.outputs) <= set(action.outputs)
        assert isinstance(action.inspect(context), Done)
        return outcome

    def passes(self, check: Check) -> Done:
        outcome = check.check(self.context())
        assert isinstance(outcome, Done), outcome
        return outcome

    def fails(self, verb: Check | Action) -> str:
        context = self.context(limit_s=30)
        outcome = verb.check(context) if isinstance(verb, Check) else verb.perform(context)
        assert isinstance(outcome, Failed), outcome
        assert outcome.hint
        return outcome.summary

    def workplace(self) -> Workplace:
        return look_into(str(self.layout.sites), "recovery", self.context())

    def altered_manifest(self, folder: Path, **changes: object) -> str:
        content = json.loads(Path(self.manifest).read_text())
        path = folder / "altered.json"
        path.write_text(json.dumps({**content, **changes}))
        return str(path)


def look_out(layout: Layout, prepared: Prepared, name: str, hub: Site | None) -> Site:
    return create_site(
        layout.sites,
        name,
        address=ADDRESSES[name],
        marker="bench",
        purpose="sandbox",
        hub=hub,
        usr=prepared.usr,
        nameserver=None,
        dies_with_us=True,
    )


def create(bench: Bench) -> Any:
    return bench.of("site.create", address=ADDRESSES["recovery"], hub="elsewhere")


def restore(bench: Bench) -> Any:
    point = json.loads(Path(bench.manifest).read_text())["restore_point"]
    return bench.of("pgbackrest.restore", point=point)


def promote(bench: Bench) -> Any:
    return bench.of(
        "postgres.promote",
        database="flowforge",
        owner="forge",
        owner_password=ref("owner"),
        replication_password=ref("repo"),
        trusted=ADDRESSES["elsewhere"],
    )


def firewall(bench: Bench) -> Any:
    return bench.of(
        "site.firewall",
        open_ports=("443", "12080-12099"),
        redirect={"12080-12099": 8444},
        trusted={ADDRESSES["elsewhere"]: ("5432", "3000")},
    )


def status(bench: Bench, url: str) -> int:
    """Return what a stranger is answered; 0 for nothing at all."""
    try:
        return fetch(
            url,
            connect_to=ADDRESSES["recovery"],
            ca=bench.layout.pki / "ca.pem",
            timeout_s=0.5,
            netns_pid=bench.outside.init_pid,
        ).status
    except FetchFailed:
        return 0


@contextmanager
def opened_bench() -> Iterator[Bench]:
    """Lay everything out, and remove it at the end."""
    cache = cache_folder()
    prepared = prepare(cache, print)
    seed = make_seed(cache, prepared, print)
    with ExitStack() as ends:
        layout = ends.enter_context(new_run(cache))
        ends.callback(remove_run, layout.root)
        lay_out_elsewhere(layout, prepared, seed)
        hub = look_out(layout, prepared, "elsewhere", None)
        outside = look_out(layout, prepared, "outside", hub)
        kept = load_secrets(layout.secrets)
        secrets = {**NEW, "key": kept.cipher, "ca": (layout.pki / "ca.key").read_text()}
        secrets = {str(ref(name)): value for name, value in secrets.items()}
        yield Bench(layout, prepared, outside, kept, Stage(secrets=secrets))
