# SPDX-License-Identifier: Apache-2.0
"""FlowFuse's own forms: sealed credentials, waves, accounts, counts, its configuration, its API."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from blackstart.ports.secrets import SecretRef
from blackstart.providers.flowfuse_api import (
    Ask,
    accepts_wrong_password,
    is_up,
    log_in_problem,
    probe_problem,
)
from blackstart.providers.flowfuse_checks import Accounts, Counts, lacking_of, unsafe_of
from blackstart.providers.flowfuse_database import (
    CannotDecrypt,
    HeldInstance,
    SealedCredentials,
    broken_credentials,
    open_credentials,
)
from blackstart.providers.flowfuse_install import Configure, settings_of
from blackstart.providers.flowfuse_public import asking_publicly
from blackstart.providers.flowfuse_waves import Tier, waves_of
from blackstart.providers.manifest import Instance, Manifest, Probe
from blackstart.sandbox.http_loop import Call, Loop, Reply
from blackstart.world.http import Response, fetch

SECRET = "s3cret"
LOGIN = "alice:old password"


def sealed(content: Mapping[str, object], secret: str = SECRET) -> str:
    """Seal credentials as Node-RED does."""
    iv = bytes(range(16))
    key = hashlib.sha256(secret.encode()).digest()
    cipher = Cipher(algorithms.AES256(key), modes.CTR(iv)).encryptor()
    text = iv.hex() + b64encode(cipher.update(json.dumps(content).encode())).decode()
    return json.dumps({"$": text})


def row(text: str, secret: str = SECRET) -> SealedCredentials:
    return SealedCredentials(id="i-1", name="greenhouse", sealed=text, secret=secret)


def test_credentials_open_with_their_secret_only() -> None:
    content = {"node-1": {"user": "u", "password": "p"}}
    assert open_credentials(sealed(content), SECRET) == content
    assert open_credentials("", SECRET) == {}
    assert open_credentials('{"n": {"user": "in the clear"}}', "") == {
        "n": {"user": "in the clear"}
    }
    # What Node-RED 3.1 stored for a flow without credentials.
    assert open_credentials(sealed({}), SECRET) == {}
    for wrong in ("", "another"):
        with pytest.raises(CannotDecrypt):
            open_credentials(sealed(content), wrong)
    with pytest.raises(CannotDecrypt):
        open_credentials('{"$": "00"}', SECRET)


def test_an_instance_is_named_when_its_credentials_are_not_all_there() -> None:
    good = row(sealed({"node-1": {}}))
    assert broken_credentials((good,), {"i-1": ("node-1",)}) == ()
    assert (
        "lacks the credentials of node node-2"
        in broken_credentials((good,), {"i-1": ("node-1", "node-2")})[0]
    )
    assert "greenhouse do not open" in broken_credentials((row(good.sealed, "no"),), {})[0]
    assert "i-9 has no stored" in broken_credentials((good,), {"i-9": ("node-1",)})[0]


def held(name: str, team: str) -> HeldInstance:
    return HeldInstance(id=name, name=name, team=team, state="suspended", port=12080)


def in_waves(held: tuple[HeldInstance, ...], *tiers: Tier) -> list[list[str]]:
    return [[one.name for one in wave.instances] for wave in waves_of(held, tiers)]


def test_whoever_is_in_no_tier_comes_with_the_open_one_or_last() -> None:
    three = (held("one", "B"), held("two", "A"), held("three", "C"))
    first, second = Tier(name="first", teams=("A",)), Tier(name="second", teams=("B",))
    nobody, rest = Tier(name="nobody", teams=("X",)), Tier(name="everyone-else")
    assert in_waves(three) == [["one", "two", "three"]]
    assert in_waves(three, first, nobody, second) == [["two"], ["one"], ["three"]]
    assert in_waves(three, rest, first, second) == [["three"], ["two"], ["one"]]
    assert in_waves(three, first, rest) == [["two"], ["one", "three"]]
    assert in_waves((), first) == []


def instance(path: str = "/hello", text: str = "hello") -> Instance:
    return Instance(
        id="i-1",
        name="greenhouse",
        team="A",
        state="running",
        url="https://app.flowfuse.test:12080/",
        probes=(Probe(path=path, sha256=hashlib.sha256(text.encode()).hexdigest()),),
    )


def test_what_is_missing_is_named_and_more_is_right() -> None:
    rows = {"Users": 5, "Teams": 2, "TeamMembers": 6, "Applications": 2, "Projects": 1}
    manifest = Manifest(
        taken_at=datetime(2026, 1, 1, tzinfo=UTC),
        users=5,
        teams=2,
        instances=(instance(),),
        rows=rows,
    )
    full = {**rows, "ProjectSnapshots": 0}
    assert lacking_of(Counts(rows=full, instances=("i-1",)), manifest) == ()
    more = {**full, "Applications": 900}
    assert lacking_of(Counts(rows=more, instances=("i-1", "i-2")), manifest) == ()
    fewer = {**full, "Users": 4}
    assert lacking_of(Counts(rows=fewer, instances=()), manifest) == (
        "1 of 5 Users are missing",
        "instance greenhouse is missing",
    )
    assert instance().port == 12080


def test_whoever_should_stay_out_is_named() -> None:
    good = Accounts(administrators=("olga",), default_accounts=(), open_settings=(), set_up=True)
    assert unsafe_of(good, ("olga",)) == ()
    assert "mallory" in unsafe_of(replace(good, administrators=("mallory", "olga")), ("olga",))[0]
    assert "ff-admin" in unsafe_of(replace(good, default_accounts=("ff-admin",)), ("olga",))[0]
    assert "user:signup" in unsafe_of(replace(good, open_settings=("user:signup",)), ("olga",))[0]
    assert "next visitor" in unsafe_of(replace(good, set_up=False), ("olga",))[0]


def test_the_configuration_is_for_the_new_site() -> None:
    wanted = Configure(
        place="/p",
        site="recovery",
        public_name="app.flowfuse.test",
        database_password=SecretRef("secret:run/x"),
        ca_certificate="/ca.pem",
        relay_host="10.70.0.1",
    )
    settings = json.loads(json.dumps(settings_of(wanted, "pw", "/home/ca.pem")))
    assert settings["base_url"] == "https://app.flowfuse.test"
    assert settings["host"] == "0.0.0.0"
    assert settings["db"]["password"] == "pw"
    assert settings["email"]["smtp"]["host"] == "10.70.0.1"
    assert settings["create_admin"] is False


def platform(call: Call) -> Reply:
    """Answer as FlowFuse 2.4.0 was seen to answer."""
    if call.path == "/api/v1/settings":
        return Reply(body=b'{"features":{},"user:signup":false}')
    if call.path == "/account/login":
        if json.loads(call.body) != {"username": "alice", "password": "old password"}:
            return Reply(status=401, body=b'{"code":"unauthorized","error":"unauthorized"}')
        return Reply(body=b"{}", headers={"Set-Cookie": "sid=ffu_1.x; Path=/; HttpOnly"})
    if call.path == "/api/v1/user" and call.headers.get("cookie") == "sid=ffu_1.x":
        return Reply(body=b'{"username":"alice"}')
    if call.path == "/hello":
        return Reply(body=b"hello")
    return Reply(body=b"<!doctype html><title>FlowFuse</title>", kind="text/html")


def asking(loop: Loop) -> Ask:
    def ask(
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Response:
        url = f"http://127.0.0.1:{loop.port}{path}"
        return fetch(url, method=method, headers=headers, body=body)

    return ask


def test_the_platform_is_believed_only_by_what_no_other_page_can_say() -> None:
    loop = Loop("127.0.0.1", 0, platform)
    try:
        ask = asking(loop)
        assert is_up(ask)
        assert log_in_problem(ask, LOGIN) == ""
        assert not accepts_wrong_password(ask, LOGIN)
        assert "answers 401" in log_in_problem(ask, "alice:wrong")
        assert probe_problem(ask, instance(), instance().probes[0]) == ""
        changed = instance(text="something else")
        assert "something else than before" in probe_problem(ask, changed, changed.probes[0])
    finally:
        loop.stop()


def test_a_page_for_everything_is_no_platform() -> None:
    loop = Loop("127.0.0.1", 0, lambda _: Reply(body=b"<!doctype html>", kind="text/html"))
    try:
        ask = asking(loop)
        assert not is_up(ask)
        assert "answers 200 to the log-in" in log_in_problem(ask, LOGIN)
        assert accepts_wrong_password(ask, LOGIN)
    finally:
        loop.stop()


def test_nobody_there_is_told_as_such() -> None:
    loop = Loop("127.0.0.1", 0, platform)
    loop.stop()
    ask = asking(loop)
    assert not is_up(ask)
    assert "does not answer" in probe_problem(ask, instance(), instance().probes[0])
    assert not is_up(asking_publicly("https://127.0.0.1:1", "/etc/ssl/certs/ca-certificates.crt"))
