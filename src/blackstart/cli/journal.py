# SPDX-License-Identifier: Apache-2.0
"""`blackstart journal`: looks after the record."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from blackstart.bootstrap import open_home
from blackstart.cli.options import as_json, with_home
from blackstart.model.codec import to_bytes
from blackstart.model.errors import Refused, WorldFailed
from blackstart.model.heads import Head, fault_of, head_of, heads_in
from blackstart.ports.journal import Journal


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
