# SPDX-License-Identifier: Apache-2.0
"""A static status page as a channel: one page and its JSON, published to folders elsewhere.

The page needs no server of ours, no script from outside and no database: its history is read back
from the JSON it published (the shape of Statuspage's public API v2, which other tools can read).
Each update carries the digest of its delivery's key, so publishing twice shows it once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from blackstart.ports.channel import (
    Accepted,
    Delivery,
    Lookup,
    Message,
    Missing,
    Rejected,
    Uncertain,
)
from blackstart.ports.secrets import SecretRef
from blackstart.providers.status_history import (
    PageUnreadable,
    add_update,
    files_of,
    holds,
    read_incidents,
    update_id_of,
)
from blackstart.providers.status_html import render_page
from blackstart.world.clock import SystemClock
from blackstart.world.files import locked, write_durably

_PAGE = "index.html"
_LOCK = ".lock"
_PATIENCE_S = 10.0  # with another program that holds it
Reveal = Callable[[SecretRef], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Static:
    """Publish updates on a page of plain files.

    `publish` names the folders, each as `dir:/path`; an update counts when all of them have it.
    Written are index.html, status.json and api/v2/{summary,status,incidents}.json. `page` is the
    page's title, `component` what it speaks of, `url` its public address if it has one. With
    `cadence_s` above 0 the page says until when the next update is due while an incident is open.
    """

    address_kind: ClassVar[str] = ""
    can_look_up: ClassVar[bool] = True

    publish: tuple[str, ...]
    page: str = "Status"
    component: str = "Platform"
    url: str = ""
    cadence_s: float = 0.0

    def send(self, message: Message, key: str, address: str, reveal: Reveal) -> Delivery:
        """Add the update to every folder."""
        folders = self._folders()
        if isinstance(folders, Rejected):
            return folders
        now = SystemClock().now()
        for folder in folders:
            try:
                self._publish(folder, message, update_id_of(key), now)
            except (OSError, PageUnreadable) as trouble:
                return Rejected(reason=f"not published in {folder}: {trouble}", again=True)
        return Accepted(receipt=f"{update_id_of(key)} in {len(folders)} places")

    def lookup(self, key: str, address: str, reveal: Reveal) -> Lookup:
        """Read the published page and JSON of every folder back."""
        folders = self._folders()
        if isinstance(folders, Rejected):
            return Uncertain(reason=folders.reason)
        wanted = update_id_of(key)
        try:
            have = [
                holds(read_incidents(folder), wanted)
                and f'id="{wanted}"' in (folder / _PAGE).read_text("utf-8")
                for folder in folders
            ]
        except FileNotFoundError:
            return Missing()
        except (OSError, UnicodeDecodeError, PageUnreadable) as trouble:
            return Uncertain(reason=f"the published page cannot be read: {trouble}")
        # Half published counts as missing: publishing again completes it and doubles nothing.
        return Accepted(receipt=f"{wanted} in {len(folders)} places") if all(have) else Missing()

    def _folders(self) -> tuple[Path, ...] | Rejected:
        wrong = [place for place in self.publish if not place.startswith("dir:/")]
        if wrong or not self.publish:
            return Rejected(
                reason=f"the status page has no usable place ({', '.join(wrong) or 'none given'}):"
                " write dir:/path",
                again=False,
            )
        return tuple(Path(place.removeprefix("dir:")) for place in self.publish)

    def _publish(self, folder: Path, message: Message, update_id: str, now: datetime) -> None:
        """Write the files one by one, each whole; the page that people read comes last."""
        with ExitStack() as held:
            (folder / "api" / "v2").mkdir(mode=0o755, parents=True, exist_ok=True)
            held.enter_context(locked(folder / _LOCK, at_most_s=_PATIENCE_S))
            incidents = add_update(read_incidents(folder), message, update_id, now)
            content = files_of(
                incidents, page=self.page, component=self.component, url=self.url, now=now
            )
            page = render_page(
                incidents,
                page=self.page,
                component=self.component,
                now=now,
                cadence_s=self.cadence_s,
            )
            for name, text in {**content, _PAGE: page}.items():
                write_durably(folder / name, text, mode=0o644)


PROVIDES: Mapping[str, type] = {"static": Static}
