# SPDX-License-Identifier: Apache-2.0
"""What a restored database holds, compared with what the manifest says it held.

The manifest is JSON, written with the backup (examples/webapp/manifest.sql makes one):

    {"taken_at": "2026-01-31T03:00:00Z", "rows": {"orders": 1204}, "sha256": {"countries": "9f…"}}

Tables are those of the schema `public`. The digest of a table is over its rows as text
(`row::text`), in the order of their bytes, joined by line feeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from blackstart.ports.action import Context, Done, Failed, Outcome
from blackstart.providers.manifest import TableManifest, read_table_manifest
from blackstart.providers.places import Workplace, look_into
from blackstart.providers.traces import returns_failures

_SHOWN = 5
# One statement, so that all tables are seen at the same moment.
_COUNTED = """
SELECT coalesce(json_object_agg(relname, (xpath('/row/n/text()', query_to_xml(format(
  :'question', relname), false, true, '')))[1]::text), '{}')
FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
  AND relname = ANY (ARRAY(SELECT json_array_elements_text(:'tables'::json)))
"""
_HOW_MANY = "SELECT count(*) AS n FROM public.%I"
_WHAT = (
    "SELECT encode(sha256(convert_to(coalesce(string_agg(t::text, chr(10) "
    "ORDER BY t::text COLLATE \"C\"), ''), 'UTF8')), 'hex') AS n FROM public.%I AS t"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectRows:
    """Expect in each table of the manifest at least its rows, and in those that stay the very same.

    More rows are right: what was written between the manifest and the outage was recovered too.
    A table that legitimately shrinks (sessions, queues) does not belong in the manifest.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "rows": "how many rows there are in the tables of the manifest",
        "tables": "how many tables were compared",
    }
    place: str
    site: str
    manifest: str
    database: str

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Count, and compare."""
        work = look_into(self.place, self.site, context)
        wanted = read_table_manifest(self.manifest)
        found = count_rows(work, self.database, wanted.rows)
        lacking = [
            *missing_rows(wanted, found),
            *changed_tables(wanted, digest_rows(work, self.database, wanted.sha256)),
        ]
        digest = context.keep("rows.json", msgspec.json.encode(found, order="sorted"))
        if lacking:
            more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
            return Failed(
                summary=f"the database is not what the manifest says: "
                f"{'; '.join(lacking[:_SHOWN])}{more}",
                hint="is this the right database and backup? If rows were deleted before the "
                "outage, restore an earlier point; if they may be missing, write the manifest anew",
                evidence=(digest,),
            )
        rows = sum(found.values())
        same = f", {len(wanted.sha256)} tables unchanged" if wanted.sha256 else ""
        return Done(
            summary=f"{rows} rows in {len(found)} tables, at least as the manifest says{same}",
            outputs={"rows": rows, "tables": len(found)},
            evidence=(digest,),
        )


def count_rows(work: Workplace, database: str, tables: Iterable[str]) -> dict[str, int]:
    """Return the number of rows of those of the tables that exist. Raises WorldFailed."""
    answers = _ask(work, database, _HOW_MANY, tables)
    return {name: int(count) for name, count in answers.items()}


def digest_rows(work: Workplace, database: str, tables: Iterable[str]) -> dict[str, str]:
    """Return the digest of the content of those of the tables that exist. Raises WorldFailed."""
    return _ask(work, database, _WHAT, tables) if tables else {}


def missing_rows(wanted: TableManifest, found: Mapping[str, int]) -> list[str]:
    """Return one sentence for each table that is not there or has too few rows."""
    told = []
    for table, rows in sorted(wanted.rows.items()):
        if table not in found:
            told.append(f"there is no table {table}")
        elif found[table] < rows:
            told.append(f"{table} has {found[table]} rows, not {rows}")
    return told


def changed_tables(wanted: TableManifest, found: Mapping[str, str]) -> list[str]:
    """Return one sentence for each table that should have stayed as it was and did not."""
    return [
        f"{table} holds other rows than it did"
        for table, digest in sorted(wanted.sha256.items())
        if found.get(table) != digest
    ]


def _ask(work: Workplace, database: str, question: str, tables: Iterable[str]) -> dict[str, str]:
    names = msgspec.json.encode(sorted(tables)).decode()
    answer = work.sql(
        _COUNTED, values={"question": question, "tables": names}, database=database, limit_s=600.0
    )
    return msgspec.json.decode(answer, type=dict[str, str])
