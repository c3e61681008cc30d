# SPDX-License-Identifier: Apache-2.0
"""What a manifest of tables says, and what is said when a database is not like it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from blackstart.model.errors import WorldFailed
from blackstart.providers.manifest import TableManifest, describes_platform, read_table_manifest
from blackstart.providers.postgres_rows import changed_tables, missing_rows

WANTED = TableManifest(
    taken_at=datetime(2026, 1, 31, 3, tzinfo=UTC),
    rows={"countries": 5, "orders": 1204},
    sha256={"countries": "9f"},
)


def test_as_many_rows_or_more_are_right() -> None:
    assert missing_rows(WANTED, {"countries": 5, "orders": 1300}) == []


def test_fewer_rows_and_missing_tables_are_named() -> None:
    assert missing_rows(WANTED, {"orders": 0}) == [
        "there is no table countries",
        "orders has 0 rows, not 1204",
    ]


def test_a_table_that_stays_must_be_the_very_same() -> None:
    assert changed_tables(WANTED, {"countries": "9f"}) == []
    for found in ({"countries": "00"}, {}):
        assert changed_tables(WANTED, found) == ["countries holds other rows than it did"]


def test_a_manifest_is_read_and_an_empty_or_broken_one_proves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text('{"taken_at": "2026-01-31T03:00:00Z", "rows": {"orders": 3}, "more": 1}')
    assert read_table_manifest(str(path)).rows == {"orders": 3}
    assert not describes_platform(str(path))
    path.write_text('{"taken_at": "2026-01-31T03:00:00Z", "rows": {}}')
    with pytest.raises(WorldFailed, match="counts no table"):
        read_table_manifest(str(path))
    path.write_text("{")
    with pytest.raises(WorldFailed, match="cannot be read"):
        read_table_manifest(str(path))


def test_a_manifest_of_a_platform_is_told_from_one_of_tables(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"taken_at": "2026-01-31T03:00:00Z", "instances": []}))
    assert describes_platform(str(path))
    assert describes_platform(str(tmp_path / "none.json"))
