# SPDX-License-Identifier: Apache-2.0
"""References in parameters: found, replaced, kept, refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackstart.model.errors import Refused
from blackstart.model.references import fill, malformed_in, names_in, substitute
from blackstart.model.runbook import Param

VALUES: dict[str, Param] = {"a.text": "x", "a.n": 5, "a.yes": True, "a.none": None, "a.list": [1]}


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ("${a.text}", "x"),
        ("${a.n}", 5),
        ("${a.yes}", True),
        ("${a.none}", None),
        ("${a.list}", [1]),
        ("<${a.text}/${a.n}>", "<x/5>"),
        ("${a.yes} ${a.none}.", "true ."),
        ("${b.later}", "${b.later}"),
        ("${a.text}:${b.later}", "x:${b.later}"),
        (["${a.n}", {"${a.text}": "${a.list}"}], [5, {"x": [1]}]),
        (7, 7),
        (None, None),
        ("no reference", "no reference"),
    ],
)
def test_values_take_the_place_of_references(value: Param, filled: Param) -> None:
    assert substitute(value, VALUES) == filled


def test_a_list_cannot_become_part_of_a_text() -> None:
    with pytest.raises(Refused, match="a list or a mapping and stands inside a text"):
        substitute("x ${a.list}", VALUES)


def test_what_is_put_in_is_not_read_again() -> None:
    assert substitute("${a}", {"a": "${b}", "b": "no"}) == "${b}"
    assert substitute("${a}!", {"a": "${b}", "b": "no"}) == "${b}!"


def test_references_are_found_in_keys_and_values() -> None:
    value: Param = {"${k}": ["${v}", 1, {"x": "a ${w} b ${w}"}]}
    assert names_in(value) == ("k", "v", "w", "w")
    assert malformed_in(value) == ()
    assert malformed_in(["${open", "fine", {"${": 1}]) == ("${open", "${")


def test_outputs_fill_parameters() -> None:
    outputs: dict[str, dict[str, Param]] = {"make": {"path": "/x", "size": 3}}
    params: dict[str, Param] = {"into": "${make.path}/front", "n": "${make.size}"}
    assert fill(params, outputs) == {"into": "/x/front", "n": 3}


def test_a_missing_output_is_refused_and_said_how_to_give() -> None:
    with pytest.raises(Refused) as refused:
        fill({"a": "${make.path}", "b": "${make.name}"}, {"make": {}})
    assert "make.name, make.path" in refused.value.what
    assert "blackstart step done make --output name=VALUE" in refused.value.hint


@given(st.recursive(st.text("${}ab.") | st.integers(), st.lists))
def test_without_values_nothing_changes(value: Param) -> None:
    assert substitute(value, {}) == value
