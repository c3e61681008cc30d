# SPDX-License-Identifier: Apache-2.0
"""Whatever byte of the record is altered at a mirror, reading it whole finds it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackstart.bootstrap.home import Home
from blackstart.bootstrap.mirrors import PLACES_FILE
from blackstart.bootstrap.restoring import verified_mirrors
from blackstart.world.depot_folder import FolderDepot
from tests.journals import entries
from tests.mirror_homes import fill, home_at, shipper_of


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("mirrored")
    (folder / "place").mkdir()
    with home_at(folder / "home") as home:
        (home.folder / PLACES_FILE).write_text(f"dir:{folder / 'place'}\n")
        depot = FolderDepot(folder / "place")
        fill(home)
        for number in range(4, 8):
            shipper_of(home, depot).ship()
            home.journal.append("i1", "p1", entries(1, first=number))
        shipper_of(home, depot).ship()
        assert verified_mirrors(home) == {f"dir:{folder / 'place'}": ""}
        yield home


@settings(max_examples=25)
@given(choice=st.integers(0, 10_000), offset=st.integers(0, 100_000), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_at_the_mirror_is_found(
    mirrored: Home, choice: int, offset: int, bit: int
) -> None:
    """Whatever of the record was altered there, reading it whole says so; put back, it is well."""
    (name,) = mirrored.mirrors.places()
    place = Path(name.removeprefix("dir:"))
    depot = FolderDepot(place)
    keys = ("installation", *depot.keys("generation"), *depot.keys("log"), *depot.keys("pages"))
    path = place / keys[choice % len(keys)]
    content = path.read_bytes()
    altered = bytearray(content)
    altered[offset % len(altered)] ^= 1 << bit
    path.write_bytes(altered)
    try:
        assert verified_mirrors(mirrored)[name]
    finally:
        path.write_bytes(content)
