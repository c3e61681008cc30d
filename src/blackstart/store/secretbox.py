# SPDX-License-Identifier: Apache-2.0
"""The secrets that a run creates, sealed in files; and the one place where secrets are revealed.

`secrets/<run>/<name>` holds a nonce of 12 bytes and the value under AES-256-GCM, bound to its
reference, so that a file put in another's place does not open. The key is in `secrets.key`.
"""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from blackstart.model.errors import Refused, Unready, WorldFailed
from blackstart.ports.secrets import SecretRef
from blackstart.store.redaction import redact
from blackstart.world.files import locked, sync_folder, write_durably
from blackstart.world.random import nonce

_TELLING_CHARS = 8  # a shorter part of a secret is a word that texts may hold by chance
_RUN, _FILE, _ENV = "secret:run/", "secret:file/", "secret:env/"
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_PATIENCE_S = 10.0  # with another program that holds the lock
_KEY_BYTES = 32
_TAKEN: dict[str, str] = {}  # variables with secrets, which programs that we start must not see
_NONCE_BYTES = 12


def open_secret_box(home: Path, environment: Mapping[str, str] = os.environ) -> SealedBox:
    """Return the secret box in the installation's home; key and folder are made at first use."""
    return SealedBox(home, environment)


class SealedBox:
    """Implements `ports.secrets.SecretBox`. Files are 0600 and folders 0700."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self._folder = home / "secrets"
        self._key_path = home / "secrets.key"
        self._environment = environment
        self._revealed: dict[str, str] = {}
        _OPENED.add(self)

    def put(self, run: str, name: str, value: str) -> SecretRef:
        """Seal the value durably; the first value of a name stays. Returns its reference.

        Raises Refused for a name that cannot be part of a reference or an empty value, Unready
        when the key is lost, WorldFailed when the disk does not take it.
        """
        ref = SecretRef(f"{_RUN}{run}/{name}")
        if not (_PART.fullmatch(run) and _PART.fullmatch(name)):
            raise Refused(
                f"{ref} cannot name a secret.",
                "Use letters, digits, '.', '_' and '-' in the names of run and secret.",
            )
        if not value:
            raise Refused(f"{ref} would be empty.", "Give it a value.")
        path = self._folder / run / name
        try:
            with locked(self._key_path.with_name("secrets.lock"), at_most_s=_PATIENCE_S):
                if not path.exists():
                    self._seal(path, str(ref), value)
                self._remember(str(ref), value)
        except OSError as error:
            raise WorldFailed(
                f"{ref} could not be sealed in {path.parent} ({error.strerror}).",
                "Free space there, or let this user write to it, then repeat.",
            ) from error
        return ref

    def make_key(self) -> None:
        """Make the key now, unless there is one, so that it can be copied to a safe in good time.

        Raises WorldFailed when it cannot be written.
        """
        try:
            with locked(self._key_path.with_name("secrets.lock"), at_most_s=_PATIENCE_S):
                self._make_key_if_first()
        except OSError as error:
            raise WorldFailed(
                f"The key {self._key_path} could not be made ({error.strerror}).",
                "Free space there, or let this user write to it, then repeat.",
            ) from error

    def reveal(self, ref: SecretRef) -> str:
        """Return the value, and remember it for `redact`.

        `secret:file/PATH` names an absolute path, whose content loses one line end at its end.
        Raises Unready, naming the reference and never the value, when nothing can be read.
        """
        value = self._value_of(str(ref))
        if not value:
            raise Unready(f"The secret {ref} is empty.", "Put the value there.")
        self._remember(str(ref), value)
        return value

    def know(self, refs: Iterable[str], runs: str) -> None:
        """Know these secrets, and those that the runs with this beginning made, for `redact`.

        Another program may have let a text out into the world in which one of them stands. What
        cannot be read now is passed over.
        """
        made = (f"{_RUN}{path.parent.name}/{path.name}" for path in self._folder.glob(f"{runs}*/*"))
        for ref in (*refs, *made):
            with suppress(Unready):
                self.reveal(SecretRef(ref))

    def redact(self, text: str) -> str:
        """Return the text with every secret known so far replaced by its reference."""
        return redact(text, dict(self._revealed))

    def _remember(self, ref: str, value: str) -> None:
        self._revealed[ref] = value
        for number, part in enumerate(value.split(":"), start=1):  # user:password
            if part != value and len(part) >= _TELLING_CHARS:
                self._revealed[f"{ref}#{number}"] = part

    def _value_of(self, ref: str) -> str:
        if ref.startswith(_RUN):
            return self._unsealed(ref)
        if ref.startswith(_FILE):
            return _content_of(ref)
        if ref.startswith(_ENV):
            return self._variable(ref)
        what = f"The secret {ref} has an unknown form." if ref else "No secret is named here."
        raise Unready(
            what,
            f"Write {_FILE}PATH, {_ENV}NAME or {_RUN}RUN/NAME.",
        )

    def _variable(self, ref: str) -> str:
        """Return it, and take it out of our environment: programs that we start inherit that."""
        name = ref.removeprefix(_ENV)
        if self._environment is os.environ and name in os.environ:
            _TAKEN[name] = os.environ.pop(name)
        if self._environment is os.environ and name in _TAKEN:
            return _TAKEN[name]
        if name not in self._environment:
            raise Unready(
                f"The secret {ref} cannot be read: the variable is not set.",
                f"Set {name} in the environment of this program.",
            )
        return self._environment[name]

    def _seal(self, path: Path, ref: str, value: str) -> None:
        key = self._key_to_seal(ref)
        once = bytes.fromhex(nonce(_NONCE_BYTES))
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_durably(path, once + AESGCM(key).encrypt(once, value.encode(), ref.encode()))
        for folder in (self._folder, self._folder.parent):
            sync_folder(folder)

    def _key_to_seal(self, ref: str) -> bytes:
        self._make_key_if_first()
        return self._key(ref)

    def _make_key_if_first(self) -> None:
        """A lost key is never replaced silently: what it sealed would be lost with it."""
        if not self._key_path.exists() and not any(self._folder.glob("*/*")):
            write_durably(self._key_path, AESGCM.generate_key(_KEY_BYTES * 8))

    def _key(self, ref: str) -> bytes:
        try:
            key = self._key_path.read_bytes()
        except OSError as error:
            raise Unready(
                f"The secret {ref} is out of reach: the key {self._key_path} cannot be read "
                f"({error.strerror}).",
                f"Put the key back, or let this user read it; without it {self._folder} is lost.",
            ) from error
        if len(key) != _KEY_BYTES:
            raise Unready(
                f"The secret {ref} is out of reach: {self._key_path} does not hold a key.",
                f"Put back the key that {self._folder} was sealed with.",
            )
        return key

    def _unsealed(self, ref: str) -> str:
        run, _, name = ref.removeprefix(_RUN).partition("/")
        if not (_PART.fullmatch(run) and _PART.fullmatch(name)):
            raise Unready(f"The secret {ref} has an unknown form.", f"Write {_RUN}RUN/NAME.")
        try:
            sealed = (self._folder / run / name).read_bytes()
        except OSError as error:
            raise Unready(
                f"The secret {ref} cannot be read ({error.strerror}).",
                "Let the step that creates it run first, or put the sealed file back.",
            ) from error
        once, content = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return AESGCM(self._key(ref)).decrypt(once, content, ref.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise Unready(
                f"The secret {ref} does not open: its file was altered or sealed with another key.",
                f"Put back the file {self._folder / run / name} and the key it was sealed with.",
            ) from error


def _content_of(ref: str) -> str:
    path = Path("/" + ref.removeprefix(_FILE).lstrip("/"))
    try:
        content = path.read_bytes().decode()
    except OSError as error:
        raise Unready(
            f"The secret {ref} cannot be read ({error.strerror}).",
            f"Put it into the file {path}, readable by this user.",
        ) from error
    except UnicodeDecodeError as error:
        raise Unready(
            f"The secret {ref} is not text.", f"Put it into {path} as UTF-8 text."
        ) from error
    return content.removesuffix("\n").removesuffix("\r")


_OPENED: weakref.WeakSet[SealedBox] = weakref.WeakSet()


def redact_for_all(text: str) -> str:
    """Return the text without any secret that this program knows, from whichever box."""
    for box in list(_OPENED):
        text = box.redact(text)
    return text
