# SPDX-License-Identifier: Apache-2.0
"""A mirror in a bucket, by the S3 protocol, through obstore (adr/0025).

An object is whole or not there: that is S3's own promise. `If-None-Match: *` lets one of several
writers make an object; AWS, MinIO, Ceph, R2 and SeaweedFS keep to it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from blackstart.model.errors import MirrorFailed

if TYPE_CHECKING:
    from obstore.store import S3Config  # exists for checkers only

_CONNECT_LIMIT = timedelta(seconds=3)
_ANSWER_LIMIT = timedelta(seconds=30)
_CODE = re.compile(r"<Code>(\w+)</Code>")


class S3Depot:
    """Implements `ports.depot.Depot` in a bucket.

    Without keys it takes those of the environment (`AWS_ACCESS_KEY_ID` …) or of the machine.
    Retrying is left to the caller, who knows what else there is to do.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str,
        *,
        endpoint: str = "",
        region: str = "",
        access_key: str = "",
        secret_key: str = "",
        answer_limit: timedelta = _ANSWER_LIMIT,
    ) -> None:
        at = f"?endpoint={endpoint}" if endpoint else ""
        self._name = f"s3://{bucket}/{prefix}".rstrip("/") + at
        config: S3Config = {"region": region or "us-east-1"}
        if endpoint:
            config["endpoint"] = endpoint
        if access_key:
            config["access_key_id"] = access_key
            config["secret_access_key"] = secret_key
        self._store = S3Store(
            bucket,
            prefix=prefix or None,
            config=config,
            client_options={
                "allow_http": endpoint.startswith("http://"),
                "connect_timeout": _CONNECT_LIMIT,
                "timeout": answer_limit,
            },
            retry_config={"max_retries": 0},
        )

    @property
    def name(self) -> str:
        """The place as people know it."""
        return self._name

    def put_new(self, key: str, content: bytes) -> bool:
        """Store the object unless there is one of that name; say whether it was stored."""
        with self._told():
            try:
                obstore.put(self._store, key, content, mode="create")
            except AlreadyExistsError:
                return False
            return True

    def put(self, key: str, content: bytes) -> None:
        """Store the object in place of one of that name."""
        with self._told():
            obstore.put(self._store, key, content)

    def fetch(self, key: str) -> bytes | None:
        """Return the object, None when there is none of that name."""
        with self._told():
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except FileNotFoundError:
                return None

    def keys(self, folder: str) -> tuple[str, ...]:
        """Return the keys of all objects below the folder, sorted."""
        with self._told():
            pages = obstore.list(self._store, prefix=folder)
            return tuple(sorted(entry["path"] for page in pages for entry in page))

    def remove(self, key: str) -> None:
        """Remove the object; nothing happens when it is not there."""
        with self._told(), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, key)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError) as error:
            raise MirrorFailed(
                f"The mirror {self.name} fails: {_reason_of(str(error))}.",
                "Look whether the address, the bucket and the keys are right and the server "
                "answers, then it goes on by itself.",
            ) from error


def _reason_of(text: str) -> str:
    """Return what the server or the network said, without the addresses and the noise around it."""
    code = _CODE.search(text)
    if code:
        return f"the server says {code[1]}"
    if "timed out" in text or "Timeout" in text or "deadline" in text:
        return "the server does not answer in time"
    if "error sending request" in text:
        return "the server cannot be reached"
    return text.splitlines()[0][:200].rstrip(".")
