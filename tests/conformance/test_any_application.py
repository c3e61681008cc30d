# SPDX-License-Identifier: Apache-2.0
"""The verbs for any application: template.write, program.start and expect_stable, web.expect_*."""

from __future__ import annotations

import sys
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from blackstart.ports.action import Done, Failed, NotDone, Outcome, Partial
from blackstart.ports.secrets import SecretRef
from blackstart.providers.program import ExpectStable, Start, read_running
from blackstart.providers.template import Write
from blackstart.providers.web import ExpectLogin, ExpectPages, ExpectPublic
from blackstart.sandbox.http_loop import Call, Loop, Reply
from blackstart.world import process
from tests.own_site import make_own_site
from tests.provider_stage import KEY, Stage

PASSWORD = SecretRef("secret:test/password")
LOGIN = SecretRef("secret:test/login")
AGAIN = KEY.replace("/1", "/2")
SERVER = """
import http.server, os, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/up" else 404); self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""


@pytest.fixture
def stage() -> Stage:
    return Stage(secrets={PASSWORD.name: "s3cret\n", LOGIN.name: "ada:lovelace\n"})


def said(outcome: Outcome) -> str:
    assert isinstance(outcome, Failed), outcome
    assert outcome.hint
    return outcome.summary


# template.write


def write(
    place: Path,
    text: str,
    *,
    into: str = "app/etc/a.ini",
    owner: str = "root",
    values: Mapping[str, str] = {"port": "8080"},
) -> Write:
    template = place / "form.ini"
    template.write_text(text)
    return Write(
        place=str(place),
        site="recovery",
        template=str(template),
        into=into,
        owner=owner,
        values=values,
        secrets={"password": PASSWORD},
    )


def test_a_template_is_filled_for_one_user_and_the_secret_goes_nowhere_else(
    tmp_path: Path, stage: Stage
) -> None:
    directory = make_own_site(tmp_path)
    action = write(tmp_path, "port = ${port}\nword = ${password}\nprice = 5 $$\n")
    context = stage.context()

    assert "s3cret" not in action.preview(context)
    assert isinstance(action.inspect(context), NotDone)
    done = action.perform(context)

    written = directory / "app" / "etc" / "a.ini"
    assert isinstance(done, Done), done
    assert written.read_text() == "port = 8080\nword = s3cret\nprice = 5 $\n"
    assert written.stat().st_mode & 0o777 == 0o400
    assert action.inspect(context) == done
    assert isinstance(action.inspect(stage.context(key=AGAIN)), NotDone)
    assert "s3cret" not in repr(done) + repr(stage.evidence)
    written.unlink()
    assert isinstance(action.inspect(context), Partial)


def test_what_a_template_cannot_mean_is_refused(tmp_path: Path, stage: Stage) -> None:
    make_own_site(tmp_path)
    for action, expected in (
        (write(tmp_path, "x", into="../x"), "leads out of the site"),
        (write(tmp_path, "x", into="/etc/x"), "leads out of the site"),
        (write(tmp_path, "x", owner="mallory"), "no user 'mallory'"),
        (write(tmp_path, "x", values={"password": "p"}), "as a value and as a secret: password"),
    ):
        assert expected in said(action.perform(stage.context()))
    for text, expected in (("${nobody}", "asks for nobody"), ("5 $ a piece", "lone dollar sign")):
        assert expected in said(write(tmp_path, text).perform(stage.context()))


def test_a_link_in_the_site_leads_no_writer_out_of_it(tmp_path: Path, stage: Stage) -> None:
    directory = make_own_site(tmp_path)
    (directory / "app").symlink_to(tmp_path)
    assert "by a link" in said(write(tmp_path, "x").perform(stage.context()))


def test_a_site_of_another_run_is_left_alone(tmp_path: Path, stage: Stage) -> None:
    make_own_site(tmp_path, marker="run-2")
    assert "run-2" in said(write(tmp_path, "x").perform(stage.context()))


# program.start, program.expect_stable


def start(place: Path, port: int, *, page: str = "/up") -> Start:
    return Start(
        place=str(place),
        site="recovery",
        name="application",
        argv=(sys.executable, "-c", SERVER, str(port)),
        page=f"http://127.0.0.1:{port}{page}",
        user="root",
        cwd="app",
    )


def stable(place: Path, port: int, *, for_s: float = 0.4) -> ExpectStable:
    page = f"http://127.0.0.1:{port}/up"
    return ExpectStable(
        place=str(place), site="recovery", name="application", page=page, for_s=for_s
    )


def free_port() -> int:
    with serving({}) as url:
        return int(url.rsplit(":", 1)[1])


@contextmanager
def ended(directory: Path) -> Iterator[None]:
    try:
        yield
    finally:
        left = read_running(directory, "application")
        if left is not None:
            process.end(left.pid, left.started_ticks, grace_s=1)


def test_a_program_is_started_found_again_replaced_and_seen_to_die(
    tmp_path: Path, stage: Stage
) -> None:
    directory, port = make_own_site(tmp_path), free_port()
    (directory / "app").mkdir()
    action, context = start(tmp_path, port), stage.context()
    with ended(directory):
        assert isinstance(action.inspect(context), NotDone)
        done = action.perform(context)
        assert isinstance(done, Done), done
        assert action.inspect(context) == done
        assert isinstance(stable(tmp_path, port).check(context), Done)

        first = read_running(directory, "application")
        second = start(tmp_path, port).perform(stage.context(key=AGAIN))
        assert isinstance(second, Done), second
        assert first is not None
        assert not first.is_alive
        assert second.outputs["pid"] != done.outputs["pid"]

        now = read_running(directory, "application")
        assert now is not None
        process.end(now.pid, now.started_ticks, grace_s=1)
        assert "does not run" in said(stable(tmp_path, port).check(context))
        assert isinstance(action.inspect(context), Partial)


def test_a_program_that_ends_or_answers_something_else_did_not_start(
    tmp_path: Path, stage: Stage
) -> None:
    directory = make_own_site(tmp_path)
    (directory / "app").mkdir()
    with ended(directory):
        wrong = start(tmp_path, free_port(), page="/other").perform(stage.context(limit_s=2))
        assert "does not answer 200" in said(wrong)
        crash = Start(
            place=str(tmp_path),
            site="recovery",
            name="application",
            argv=(sys.executable, "-c", "raise SystemExit('no table users')"),
            page="http://127.0.0.1:1/",
            user="root",
        )
        summary = said(crash.perform(stage.context(limit_s=20)))
        assert "ended" in summary
        assert "no table users" in summary


# web.expect_pages, web.expect_login, web.expect_public


@contextmanager
def serving(
    pages: dict[str, str], *, accounts: tuple[str, ...] = ("ada:lovelace",)
) -> Iterator[str]:
    """Serve pages; /own needs a log-in."""

    def answer(call: Call) -> Reply:
        path = call.path.partition("?")[0]
        if path == "/own":
            given = call.headers.get("authorization", "").removeprefix("Basic ")
            return Reply(status=200 if b64decode(given).decode() in accounts else 401)
        return Reply(body=pages[path].encode()) if path in pages else Reply(status=404)

    loop = Loop("127.0.0.1", 0, answer)
    try:
        yield f"http://127.0.0.1:{loop.port}"
    finally:
        loop.stop()


def pages_of(place: Path, url: str, pages: dict[str, str]) -> ExpectPages:
    return ExpectPages(place=str(place), site="recovery", url=url, pages=pages)


def test_pages_must_be_there_and_hold_their_text(tmp_path: Path, stage: Stage) -> None:
    make_own_site(tmp_path)
    with serving({"/": "The Shop", "/nl": "Amsterdam"}) as url:
        good = pages_of(tmp_path, url, {"/": "Shop", "/nl": "Amsterdam"}).check(stage.context())
        wrong = pages_of(tmp_path, url, {"/nl": "Lisbon", "/pt": "x"}).check(stage.context())
        none = pages_of(tmp_path, url, {}).check(stage.context())

    assert isinstance(good, Done), good
    assert good.outputs == {"pages": 2}
    assert said(wrong) == "/nl answers without the text 'Lisbon'; /pt answers 404, not 200"
    assert "proves nothing" in said(none)


@pytest.mark.parametrize(
    ("accounts", "login", "expected"),
    [
        (("ada:lovelace",), "ada:lovelace", ""),
        (("ada:other",), "ada:lovelace", "the old password of ada does not open /own: 401"),
        (("ada:lovelace", ""), "ada:lovelace", "/own answers 200 to no password"),
        (("ada:lovelace",), "ada", "not of the form user:password"),
    ],
)
def test_an_old_password_opens_and_nothing_else_does(
    tmp_path: Path, stage: Stage, accounts: tuple[str, ...], login: str, expected: str
) -> None:
    make_own_site(tmp_path)
    stage.secrets[LOGIN.name] = login
    with serving({}, accounts=accounts) as url:
        check = ExpectLogin(place=str(tmp_path), site="recovery", url=url, page="/own", login=LOGIN)
        outcome = check.check(stage.context())
    if not expected:
        assert isinstance(outcome, Done), outcome
        return
    assert expected in said(outcome)
    assert "lovelace" not in said(outcome)


def test_a_public_name_that_leads_elsewhere_or_nowhere_is_said(stage: Stage) -> None:
    check = ExpectPublic(
        public_name="127.0.0.1",
        address="10.70.0.20",
        ca_certificate="/nowhere/ca.pem",
        pages={"/": "x"},
        within_s=0.1,
    )
    assert "127.0.0.1 leads to 127.0.0.1, not to 10.70.0.20" in said(check.check(stage.context()))
