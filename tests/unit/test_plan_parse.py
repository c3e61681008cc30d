# SPDX-License-Identifier: Apache-2.0
"""YAML in, located tree out: the core schema, every bound, every refusal with its place."""

from time import thread_time

import pytest

from blackstart.model.runbook import Param
from blackstart.planfile.parse import SIZE_BYTES_AT_MOST, parse_tree
from blackstart.planfile.problems import Problems, TooManyProblems
from blackstart.planfile.tree import Block, Listing, Scalar, kind_of, value_of

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


def tree_of(text: str | bytes) -> tuple[Param, tuple[str, ...]]:
    problems = Problems()
    content = text.encode() if isinstance(text, str) else text
    node = parse_tree(content, "f.yaml", problems)
    return (None if node is None else value_of(node)), problems.lines()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a", "a"),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("off", "off"),
        ("12:30", "12:30"),
        ("2023-07-01", "2023-07-01"),
        ("-12", -12),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("'12'", "12"),
        ('"a\\nb"', "a\nb"),
        ("|\n a\n b\n", "a\nb\n"),
        ("[a, 1]", ["a", 1]),
        ("{a: {b: []}}", {"a": {"b": []}}),
        ("x: &here 1\ny: *here", {"x": 1, "y": 1}),
        ("x: &here [1, 2]\ny: [*here, *here]", {"x": [1, 2], "y": [[1, 2], [1, 2]]}),
        ("443: a", {"443": "a"}),
        ("&k key: 1\nother: *k", {"key": 1, "other": "key"}),
        ("%YAML 1.2\n---\na", "a"),
        ("\ufeffa: b", {"a": "b"}),
    ],
)
def test_values_are_those_of_the_core_schema(text: str, value: Param) -> None:
    assert tree_of(text) == (value, ())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1:1: the file is empty → begin it with 'blackstart: 1'"),
        ("# only\n", "1:1: the file is empty → begin it with 'blackstart: 1'"),
        ("a: 1\nb: 2\na: 3", "3:1: the key 'a' is already on line 1 → keep one of the two"),
        ("a: b\n\tc: d", "2:1: the YAML cannot be read: found a tab character that violates"),
        ("a: [b", "1:4: the YAML cannot be read: did not find expected ',' or ']' → close the br"),
        ("a: 'b", "1:4: the YAML cannot be read: found unexpected end of stream → close"),
        ("a: b: c", "1:5: the YAML cannot be read: mapping values are not allowed in th"),
        ('a: "\\q"', "1:5: the YAML cannot be read: found unknown escape character → write a"),
        ("a: *b", "1:4: the alias 'b' refers to nothing before it → write it out"),
        ("a: &a [*a]", "1:8: the alias 'a' holds itself → write it out"),
        ("a: !!str b", "1:4: the tag 'tag:yaml.org,2002:str' has no meaning in a plan"),
        ("a: !!map {}", "1:4: the tag 'tag:yaml.org,2002:map' has no meaning in a plan"),
        ("a: 1\n---\nb: 1", "2:1: a second document begins here → keep one plan per file"),
        ("%YAML 1.1\n---\na: 1", "1:1: a plan is YAML 1.2 → remove the '%YAML' line"),
        ("[a]: b", "1:1: a key must be a word → write it as text"),
        ("a: &a {x: 1}\nb: {<<: *a}", "2:5: YAML 1.2 has no merge keys → write the keys out"),
        ("? \n: b", "1:2: a key must be a word → write it as text"),
        (b"a: \xff", "1:4: the file is not UTF-8 text → save it as UTF-8"),
        (b"a: 1\r\nb: \x00", "2:4: the character '\\x00' is not text → remove it"),
        ("a: 1 # \u2028b: 2", "1:8: the character '\\u2028' is not text → remove it"),
        ("a: 1 # \u202e2 :b", "1:8: the character '\\u202e' is not text → remove it"),
        ("a: \x85", "1:4: the character '\\x85' is not text → remove it"),
        ("blackstart: 1".encode("utf-16"), "1:1: the file is not UTF-8 text → save it as UTF-8"),
        ('a: "\\ud800"', "1:7: the YAML cannot be read: found invalid Unicode character"),
        ('a: "\\0"', "1:4: this text holds a control character or half a character"),
        ('a: "\\U00110000"', "1:7: the YAML cannot be read: found invalid Unicode character"),
        ("a: .inf", "1:4: '.inf' is a number that does not fit 64 bits"),
        ("a: 1e999", "1:4: '1e999' is a number that does not fit 64 bits"),
        ("a: " + "9" * 5000, "is a number that does not fit 64 bits"),
        ("a: 9223372036854775808", "is a number that does not fit 64 bits"),
        ("version: 2.10", "1:10: '2.10' is a number and would lose its last 0"),
    ],
)
def test_what_a_plan_cannot_hold_is_refused_in_its_place(text: str | bytes, problem: str) -> None:
    _, problems = tree_of(text)
    assert len(problems) == 1, problems
    assert problem in problems[0]
    assert problems[0].startswith("f.yaml:")
    assert " → " in problems[0]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("billion laughs", LAUGHS, "the plan has more than 20000 values"),
        ("many values", "[" + "a, " * 30_000 + "]", "the plan has more than 20000 values"),
        ("deep lists", "[\n" * 100_000, "33:1: this is nested more than 32 deep"),
        ("deep mappings", "{a: " * 50_000, "this is nested more than 32 deep"),
        ("deep dashes", "- " * 100_000, "this is nested more than 32 deep"),
        ("deep keys", "\n".join(" " * i + "a:" for i in range(500)), "nested more than 32 deep"),
        ("huge file", "a" * (SIZE_BYTES_AT_MOST + 1), "the file is larger than 262144 bytes"),
        ("huge quote", 'a: "' + "x" * 250_000, "found unexpected end of stream"),
        ("all bytes", bytes(range(256)) * 900, "the file is not UTF-8 text"),
    ],
)
def test_hostile_files_are_refused_at_once(name: str, text: str | bytes, problem: str) -> None:
    began = thread_time()  # seconds of work: a busy machine is no fault of ours
    _, problems = tree_of(text)
    assert any(problem in line for line in problems), (name, problems)
    assert thread_time() - began < 1.0


def test_a_huge_scalar_within_the_limit_is_read() -> None:
    text = "x" * 200_000
    assert tree_of(f"a: {text}") == ({"a": text}, ())


def test_problems_come_in_the_order_of_the_file_and_end_somewhere() -> None:
    _, problems = tree_of("b: 1\nb: 2\na: .nan\nb: 3")
    assert [line.split(":")[1] for line in problems] == ["2", "3", "4"]
    with pytest.raises(TooManyProblems):
        tree_of("k: v\n" * 1000)


def test_nodes_know_what_they_are() -> None:
    problems = Problems()
    node = parse_tree(b"[{a: b}, [], true, 1, text, ~]", "f.yaml", problems)
    assert isinstance(node, Listing)
    kinds = ["a mapping", "a list", "true or false", "a number", "text", "empty"]
    assert [kind_of(item) for item in node.items] == kinds
    first = node.items[0]
    assert isinstance(first, Block)
    assert list(first.keys()) == ["a"]
    found = first.get("a")
    assert isinstance(found, Scalar)
    assert (str(found.at), first.get("b")) == ("f.yaml:1:6", None)
