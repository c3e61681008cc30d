# SPDX-License-Identifier: Apache-2.0
"""A configuration file of a new site, made from a template: values of the plan, sealed secrets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from string import Template
from typing import ClassVar

from blackstart.model.errors import Refused
from blackstart.ports.action import Context, Done, Finding, Outcome
from blackstart.ports.secrets import SecretRef
from blackstart.providers.places import Workplace, directory_of, work_in
from blackstart.providers.traces import begin, finding, finish, returns_failures
from blackstart.world.files import write_durably
from blackstart.world.sites import USERS

_VERB = "template.write"
_MODE = 0o400


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Write a file into the site from a template, readable for one user of the site only.

    In the template `${name}` stands for a value or a secret of that name, `$$` for a dollar sign.
    Every name of the template must be given, and a name may not be both. `into` is a path
    within the site's folder. The text goes nowhere else: it holds secrets.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "path": "the file that was written",
        "sha256": "the digest of the template, without the secrets",
    }
    place: str
    site: str
    template: str
    into: str
    owner: str = "app"
    values: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)

    def preview(self, context: Context) -> str:
        """Say what would be written."""
        return f"{self.into} of site {self.site} would be written from {self.template}"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Fill the template and write it, whole or not at all."""
        work = work_in(self.place, self.site, context)
        path = place_of(work, self.into)
        text = Path(self.template).read_text("utf-8")
        content = self._filled(text, context)
        begin(work.directory, _VERB, context)
        if not path.parent.exists():
            path.parent.mkdir(mode=0o755, parents=True)
            path.parent.chmod(0o755)
        # Owned and narrow from its first moment: it is renamed into its place.
        write_durably(path, content.encode(), mode=_MODE)
        os.chown(path, USERS[self.owner], USERS[self.owner])
        digest = sha256(text.encode()).hexdigest()
        done = Done(
            summary=f"{self.into} written for {self.owner}, {len(self.secrets)} secrets in it",
            outputs={"path": str(path), "sha256": digest},
            evidence=(context.keep(Path(self.template).name, text.encode()),),
        )
        return finish(work.directory, _VERB, context, done)

    def inspect(self, context: Context) -> Finding:
        """Look for this attempt's key and the file."""
        directory = directory_of(self.place, self.site)
        return finding(directory, _VERB, context, (directory / self.into).exists)

    def _filled(self, text: str, context: Context) -> str:
        if self.owner not in USERS:
            raise Refused(f"a site has no user {self.owner!r}", f"use one of: {', '.join(USERS)}")
        twice = sorted(self.values.keys() & self.secrets.keys())
        if twice:
            raise Refused(f"given as a value and as a secret: {', '.join(twice)}", "give it once")
        revealed = {name: context.reveal(ref).strip() for name, ref in self.secrets.items()}
        given = {**self.values, **revealed}
        form = Template(text)
        if not form.is_valid():
            raise Refused(f"{self.template} has a lone dollar sign", "write $$ for a dollar sign")
        missing = sorted(set(form.get_identifiers()) - given.keys())
        if missing:
            raise Refused(
                f"{self.template} asks for {', '.join(missing)}, which the plan does not give",
                f"use one of: {', '.join(sorted(given))}",
            )
        return form.substitute(given)


def place_of(work: Workplace, into: str) -> Path:
    """Return the path within the site's folder. Raises Refused for one that leads out of it."""
    path = work.directory / into
    if Path(into).is_absolute() or ".." in Path(into).parts:
        raise Refused(f"{into!r} leads out of the site's folder", "give a path within it")
    inner = path.parent.resolve()
    if not inner.is_relative_to(work.directory.resolve()):
        raise Refused(f"{into!r} leads out of the site's folder by a link", "remove the link")
    return path


PROVIDES: Mapping[str, type] = {"write": Write}
