# SPDX-License-Identifier: Apache-2.0
"""Secrets are sealed on disk, revealed by reference only, and never named by their value."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackstart.model.errors import Refused, Unready, WorldFailed
from blackstart.ports.secrets import SecretBox, SecretRef
from blackstart.store.redaction import redact
from blackstart.store.secretbox import SealedBox, open_secret_box, redact_for_all
from blackstart.world.process import run

VALUE = "k7#Zq/w+ 9ä"


@pytest.fixture
def box(tmp_path: Path) -> SealedBox:
    return open_secret_box(tmp_path, {"TOKEN": "xoxb-1", "EMPTY": ""})


def unready(box: SecretBox, name: str) -> Unready:
    with pytest.raises(Unready) as caught:
        box.reveal(SecretRef(name))
    assert name in caught.value.what
    assert caught.value.hint
    return caught.value


# Sealed


def test_a_sealed_value_opens_by_its_reference_also_after_a_restart(
    box: SealedBox, tmp_path: Path
) -> None:
    ref = box.put("i1.r1", "database_password", VALUE)
    assert str(ref) == "secret:run/i1.r1/database_password"
    assert box.reveal(ref) == VALUE
    assert open_secret_box(tmp_path).reveal(ref) == VALUE


def test_the_first_value_of_a_name_stays(box: SealedBox, tmp_path: Path) -> None:
    ref = box.put("i1.r1", "cookie", "first")
    assert open_secret_box(tmp_path).put("i1.r1", "cookie", "second") == ref
    assert box.reveal(ref) == "first"
    assert box.reveal(box.put("i1.r2", "cookie", "another run's")) == "another run's"


def test_no_file_holds_the_value_and_all_are_for_their_owner(
    box: SealedBox, tmp_path: Path
) -> None:
    box.put("i1.r1", "password", VALUE)
    box.put("i1.r1", "same", VALUE)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(VALUE.encode() in path.read_bytes() for path in files)
    sealed = sorted((tmp_path / "secrets" / "i1.r1").iterdir())
    assert [path.name for path in sealed] == ["password", "same"]
    assert sealed[0].read_bytes()[12:] != sealed[1].read_bytes()[12:]
    for path in (*sealed, tmp_path / "secrets.key"):
        assert path.stat().st_mode & 0o777 == 0o600
    for folder in (tmp_path / "secrets", tmp_path / "secrets" / "i1.r1"):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_an_altered_or_exchanged_file_does_not_open(box: SealedBox, tmp_path: Path) -> None:
    one, two = box.put("r", "one", "the first"), box.put("r", "two", "the second")
    folder = tmp_path / "secrets" / "r"
    sound = (folder / "one").read_bytes()
    (folder / "one").write_bytes((folder / "two").read_bytes())
    unready(box, str(one))
    for content in (b"", sound[:20], sound[:-1] + bytes([sound[-1] ^ 1])):
        (folder / "one").write_bytes(content)
        unready(box, str(one))
    (folder / "one").write_bytes(sound)
    assert (box.reveal(one), box.reveal(two)) == ("the first", "the second")


def test_a_lost_key_is_said_and_not_replaced(box: SealedBox, tmp_path: Path) -> None:
    ref = box.put("r", "one", VALUE)
    key = tmp_path / "secrets.key"
    content = key.read_bytes()
    key.unlink()
    assert "out of reach" in unready(box, str(ref)).what
    with pytest.raises(Unready, match="out of reach"):
        box.put("r", "two", "x")
    assert not key.exists()
    key.write_bytes(content[:-1])
    assert "does not hold a key" in unready(box, str(ref)).what
    key.write_bytes(bytes(32))
    assert "does not open" in unready(box, str(ref)).what
    key.write_bytes(content)
    assert box.reveal(ref) == VALUE


@pytest.mark.parametrize(
    ("run", "name"), [("..", "x"), ("r", "../x"), ("r", "a/b"), ("", "x"), ("r", ""), ("r", ".x")]
)
def test_a_name_that_would_leave_the_folder_is_refused(
    box: SealedBox, tmp_path: Path, run: str, name: str
) -> None:
    with pytest.raises(Refused, match="cannot name a secret"):
        box.put(run, name, VALUE)
    unready(box, f"secret:run/{run}/{name}")
    assert not (tmp_path / "secrets").exists()


def test_an_empty_value_is_refused(box: SealedBox) -> None:
    with pytest.raises(Refused, match="would be empty"):
        box.put("r", "x", "")


def test_a_disk_that_does_not_take_it_is_said_without_the_value(
    box: SealedBox, tmp_path: Path
) -> None:
    (tmp_path / "secrets").write_text("a file in the way")
    with pytest.raises((WorldFailed, Unready)) as caught:
        box.put("r", "x", VALUE)
    assert "secret:run/r/x" in str(caught.value)
    assert VALUE not in str(caught.value)


# Elsewhere


def test_files_and_variables_are_read_at_the_moment_of_use(box: SealedBox, tmp_path: Path) -> None:
    path = tmp_path / "token"
    for content in ("abc", "abc\n", "abc\r\n"):
        path.write_text(content, newline="")
        assert box.reveal(SecretRef(f"secret:file/{path}")) == "abc"
        assert box.reveal(SecretRef(f"secret:file{path}")) == "abc"
    path.write_text("  two\nlines\n\n")
    assert box.reveal(SecretRef(f"secret:file/{path}")) == "  two\nlines\n"
    assert box.reveal(SecretRef("secret:env/TOKEN")) == "xoxb-1"


def test_what_cannot_be_read_is_said_by_reference(box: SealedBox, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert "not set" in unready(box, "secret:env/ABSENT").what
    assert "is empty" in unready(box, "secret:env/EMPTY").what
    assert "is empty" in unready(box, f"secret:file/{tmp_path}/empty").what
    assert "is not text" in unready(box, f"secret:file/{tmp_path}/binary").what
    assert "cannot be read" in unready(box, f"secret:file/{tmp_path}/absent").what
    assert "cannot be read" in unready(box, f"secret:file/{tmp_path}").what
    assert "cannot be read" in unready(box, "secret:run/r/never_made").what
    for odd in ("secret:vault/x", "secret:run/x", "secret:"):
        assert "unknown form" in unready(box, odd).what
    with pytest.raises(Unready, match="No secret is named"):
        box.reveal(SecretRef(""))


# Redacted


def test_revealed_secrets_are_replaced_in_texts(box: SealedBox) -> None:
    ref = box.put("r", "password", VALUE)
    text = f"psql: password '{VALUE}' and {quote(VALUE, safe='')} and {json.dumps(VALUE)}"
    assert box.redact(text) == f"psql: password '{ref}' and {ref} and \"{ref}\""


def test_what_was_made_or_named_before_us_is_known_too(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    ref = open_secret_box(tmp_path).put("i1.r1", "password", VALUE)
    later = open_secret_box(tmp_path, {})
    text = f"{VALUE}, from-a-file"
    assert later.redact(text) == text
    later.know([f"secret:file{tmp_path}/token", "secret:env/ABSENT"], runs="i1")
    assert later.redact(text) == f"{ref}, secret:file{tmp_path}/token"
    for_all = redact_for_all(text)  # a value that other boxes hold too may bear their reference
    assert VALUE not in for_all
    assert for_all.endswith(f", secret:file{tmp_path}/token")


def test_a_variable_with_a_secret_is_not_inherited_by_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", "sings")
    asked = ["sh", "-c", "echo ${CANARY:-nothing}"]
    assert run(asked, timeout_s=10).text == "sings\n"
    ref = SecretRef("secret:env/CANARY")
    assert [open_secret_box(tmp_path).reveal(ref) for _ in range(2)] == ["sings", "sings"]
    assert run(asked, timeout_s=10).text == "nothing\n"


def test_the_longer_secret_wins_and_references_stay_whole() -> None:
    values = {"secret:env/A": "env", "secret:env/B": "environment"}
    assert redact("environment, env", values) == "secret:env/B, secret:env/A"


def test_single_lines_of_a_key_are_found() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nshort\n-----END KEY-----\n"
    text = "line 2: MIIEvQIBADANBgkqhkiG9w0BAQEFAASC is wrong, short"
    assert redact(text, {"secret:file/k": key}) == "line 2: secret:file/k is wrong, short"


@given(
    text=st.text(max_size=60),
    values=st.dictionaries(
        st.sampled_from(["secret:env/A", "secret:env/B", "secret:run/r/n"]),
        st.text(st.characters(codec="utf-8", categories=("Nd", "So")), min_size=1, max_size=8),
    ),
)
def test_no_value_is_left_and_nothing_else_is_changed(text: str, values: dict[str, str]) -> None:
    before = redact(text, values)
    assert before == text or any(value in text for value in values.values())
    mixed = text + "".join(values.values()) + text
    shown = redact(mixed, values)
    left = shown
    for reference in values:
        left = left.replace(reference, "\n")
    assert not any(value in left for value in values.values())
