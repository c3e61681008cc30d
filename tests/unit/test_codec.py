# SPDX-License-Identifier: Apache-2.0
"""Facts as bytes: every kind comes back equal, the form is canonical, the future is readable."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackstart.model.codec import GENESIS, decode_fact, digest_of, encode_fact, to_bytes
from blackstart.model.events import (
    EVENTS,
    ActionEnded,
    AskOpened,
    Event,
    IncidentReported,
    Option,
    Sighting,
    StoodDown,
)

AT = datetime(2026, 11, 23, 3, 0, 0, 123000, tzinfo=UTC)
texts = st.text(max_size=20)
moments = st.integers(0, 200_000_000_000_000).map(
    lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
)
params = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
reported = st.builds(
    IncidentReported,
    systems=st.lists(texts, max_size=3).map(tuple),
    mode=texts,
    target=texts,
    summary=texts,
    outage_start=moments,
    plan=texts,
    last_good=st.none() | moments,
    sightings=st.lists(
        st.builds(Sighting, subject=texts, condition=texts, seen=texts), max_size=2
    ).map(tuple),
)
ended = st.builds(
    ActionEnded,
    run=texts,
    step=texts,
    action=texts,
    key=texts,
    outcome=texts,
    outputs=st.dictionaries(texts, params, max_size=3),
)
opened = st.builds(
    AskOpened,
    ask=texts,
    kind=texts,
    text=texts,
    role=texts,
    persons=st.lists(texts, max_size=3).map(tuple),
    due_at=st.none() | moments,
    options=st.lists(
        st.builds(Option, name=texts, meaning=texts, expected_s=st.none() | st.floats(0, 1e9)),
        max_size=2,
    ).map(tuple),
)


@given(
    event=reported | ended | opened,
    chain=texts,
    actor=texts,
    seq=st.integers(1, 2**31),
    at=moments,
)
def test_a_fact_comes_back_equal(
    event: Event, chain: str, actor: str, seq: int, at: datetime
) -> None:
    content = encode_fact(chain, seq, at, actor, event, GENESIS)
    fact = decode_fact(content)
    assert fact.event == event
    assert (fact.chain, fact.seq, fact.at, fact.actor) == (chain, seq, at, actor)
    assert (fact.previous, fact.digest) == (GENESIS, sha256(content).hexdigest())


@given(value=params)
def test_the_form_is_canonical(value: object) -> None:
    content = to_bytes(value)
    assert to_bytes(json.loads(content)) == content
    compact = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert json.loads(compact) == json.loads(content)


def test_keys_are_sorted_whatever_the_order_of_writing() -> None:
    assert to_bytes({"b": 1, "a": {"d": 2, "c": 3}}) == b'{"a":{"c":3,"d":2},"b":1}'
    assert to_bytes({"a": {"c": 3, "d": 2}, "b": 1}) == b'{"a":{"c":3,"d":2},"b":1}'


def test_times_are_written_in_utc_to_the_millisecond() -> None:
    east = datetime(2026, 11, 23, 5, 0, 0, 123999, tzinfo=timezone(timedelta(hours=2)))
    content = encode_fact("i1", 1, east, "p1", StoodDown(by="p1", why=""), GENESIS)
    assert b'"at":"2026-11-23T03:00:00.123+00:00"' in content
    assert decode_fact(content).at == AT


def test_every_part_of_a_fact_changes_its_digest() -> None:
    event = StoodDown(by="p1", why="false alarm")
    first = encode_fact("i1", 1, AT, "p1", event, GENESIS)
    others = [
        encode_fact("i2", 1, AT, "p1", event, GENESIS),
        encode_fact("i1", 2, AT, "p1", event, GENESIS),
        encode_fact("i1", 1, AT + timedelta(milliseconds=1), "p1", event, GENESIS),
        encode_fact("i1", 1, AT, "p2", event, GENESIS),
        encode_fact("i1", 1, AT, "p1", StoodDown(by="p1", why="false alarm!"), GENESIS),
        encode_fact("i1", 1, AT, "p1", event, "1" * 64),
    ]
    assert len({digest_of(content) for content in [first, *others]}) == 7


def test_an_older_reader_survives_fields_that_it_does_not_know() -> None:
    stored = json.loads(encode_fact("i1", 1, AT, "p1", StoodDown(by="p1", why="x"), GENESIS))
    stored["event"]["invented_later"] = 1
    stored["also_later"] = 2
    assert decode_fact(to_bytes(stored)).event == StoodDown(by="p1", why="x")


def test_a_field_with_a_default_may_be_absent() -> None:
    ask = AskOpened(ask="a", kind="gate", text="?", role="r", persons=())
    stored = json.loads(encode_fact("i1", 1, AT, "p1", ask, GENESIS))
    del stored["event"]["options"]
    event = decode_fact(to_bytes(stored)).event
    assert isinstance(event, AskOpened)
    assert event.options == ()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"chain":1}', b"\xff\xfe", b'{"seq":"1"}']
)
def test_bytes_that_are_no_fact_are_refused(content: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        decode_fact(content)


def test_an_unknown_kind_is_refused_by_name() -> None:
    stored = json.loads(encode_fact("i1", 1, AT, "p1", StoodDown(by="p1", why="x"), GENESIS))
    with pytest.raises(KeyError, match="Dreamt"):
        decode_fact(to_bytes(stored | {"kind": "Dreamt"}))


def test_a_wrong_type_is_refused() -> None:
    stored = json.loads(encode_fact("i1", 1, AT, "p1", StoodDown(by="p1", why="x"), GENESIS))
    stored["event"]["by"] = 7
    with pytest.raises(msgspec.ValidationError, match="by"):
        decode_fact(to_bytes(stored))


def test_the_kinds_are_all_there_under_their_own_names() -> None:
    assert len(EVENTS) >= 22
    assert all(kind.__name__ == name for name, kind in EVENTS.items())
