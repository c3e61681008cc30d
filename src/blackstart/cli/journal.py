# SPDX-License-Identifier: Apache-2.0
"""`blackstart journal`: looks after the record."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import click

from blackstart.bootstrap import open_home
from blackstart.bootstrap.restoring import restore as restore_from
from blackstart.bootstrap.restoring import verified_mirrors
from blackstart.cli.mirrored import mirror_lines, restored_lines
from blackstart.cli.options import as_json, with_home
from blackstart.model.codec import to_bytes
from blackstart.model.errors import MirrorFailed, Refused, WorldFailed
from blackstart.model.heads import Head, fault_of, head_of, heads_in
from blackstart.ports.journal import Journal
from blackstart.store.mirror_files import KEY_FILE, key_fingerprint


@click.group()
def journal() -> None:
    """Look after the record."""


@journal.command()
@with_home
@as_json
@click.option(
    "--head",
    "texts",
    multiple=True,
    metavar="TEXT",
    help="A message of an incident, or its line `Record: …`; - reads it. May be repeated.",
)
def verify(home: Path, in_json: bool, texts: tuple[str, ...]) -> None:
    """Check every chain; name every fault.

    With --head also compare the record with what messages said of it: that shows an end cut off.
    """
    record = open_home(home).journal
    faults = (*record.verify(), *_faults_by_heads(record, texts))
    heads = [
        head_of(chain, facts[-1].seq, facts[-1].digest)
        for chain in (() if faults else record.chains())
        if (facts := record.read(chain))
    ]
    if in_json:
        click.echo(to_bytes({"faults": faults, "heads": heads}))
    for fault in faults:
        click.secho(fault, fg="red", err=True)
    if faults:
        raise WorldFailed(
            f"The journal has {len(faults)} faults.",
            "Keep this copy as it is; compare it with a mirror before you trust it.",
        )
    if not in_json:
        for head in heads:
            click.echo(f"Record: {head}")
        click.echo("Every chain is whole.")


@journal.command()
@with_home
@as_json
@click.option("--verify", "in_full", is_flag=True, help="Read each mirror whole and verify it.")
def mirrors(home: Path, in_json: bool, in_full: bool) -> None:
    """Show each mirror of the record: how far behind it is, and what is wrong with it."""
    opened = open_home(home)
    faults = verified_mirrors(opened) if in_full else {}
    views = opened.mirrors.views()
    key = key_fingerprint(home / KEY_FILE)
    if in_json:
        rows = {"places": opened.mirrors.places(), "mirrors": views, "key": key, "faults": faults}
        click.echo(to_bytes(rows))
    else:
        for line in mirror_lines(views, opened.clock.now()):
            click.echo(line)
        for name, fault in faults.items():
            click.echo(f"  {name}: {fault or 'whole, and the same as the record here'}")
        if not opened.mirrors.places():
            click.echo("There is no mirror: `blackstart journal mirror PLACE` adds one.")
        click.echo(_key_line(home, key))
    bad = [fault for fault in faults.values() if fault]
    if bad:
        raise MirrorFailed(
            f"{len(bad)} of {len(faults)} mirrors are not whole.",
            "Keep them as they are, look who wrote there, and give this home a new place.",
        )


def _key_line(home: Path, key: str) -> str:
    if not key:
        return "No secret was sealed here yet, so there is no key to keep."
    return (
        f"The key {key} in {home / KEY_FILE} opens the sealed secrets. No mirror has it: keep a "
        "copy where none of them is, for `blackstart journal restore --key`."
    )


@journal.command()
@with_home
@click.argument("place")
def mirror(home: Path, place: str) -> None:
    """Copy the record to PLACE from now on: dir:/FOLDER, or s3://BUCKET/PREFIX?endpoint=…

    Two places that share nothing with this machine, or with each other, are the least.
    """
    opened = open_home(home)
    opened.secrets.make_key()
    depot = opened.mirrors.add(place)
    opened.mirrors.ship_once(lambda told: click.secho(told, fg="yellow", err=True))  # the new list
    click.echo(f"{depot.name} holds the record, and is kept up to date from now on.")
    click.echo(_key_line(home, key_fingerprint(home / KEY_FILE)))


@journal.command()
@click.argument("source", metavar="FROM")
@click.option(
    "--home",
    "new",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    envvar="BLACKSTART_HOME",
    help="The folder to make; it must not be there yet.",
)
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The key that sealed the secrets (secrets.key of the old home).",
)
@click.option("--accept-loss", is_flag=True, help="Bring back what is whole of a damaged mirror.")
@as_json
def restore(source: str, new: Path, key: Path | None, accept_loss: bool, in_json: bool) -> None:
    """Bring the installation back from its mirror FROM, here, and take over from the old one."""

    def tell(text: str) -> None:
        click.secho(text, fg="yellow", err=True)

    came = restore_from(
        source, new, key=key, accept_loss=accept_loss, tell=tell, pause=threading.Event()
    )
    opened = open_home(new)
    opened.mirrors.ship_once(tell)
    if in_json:
        click.echo(to_bytes(came))
        return
    for line in restored_lines(came):
        click.echo(line)


def _faults_by_heads(record: Journal, texts: tuple[str, ...]) -> Iterator[str]:
    for text in texts:
        heads = heads_in(sys.stdin.read() if text == "-" else text)
        if not heads:
            raise Refused(
                f"There is no head of a record in '{text}'.",
                "Paste the whole message, or its line that begins with 'Record:'.",
            )
        for head in heads:
            if fault := _fault_by(record, head):
                yield fault


def _fault_by(record: Journal, head: Head) -> str:
    digests = [fact.digest for fact in record.read(head.chain)]
    return fault_of(head, len(digests), lambda seq: digests[seq - 1])
