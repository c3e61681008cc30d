# SPDX-License-Identifier: Apache-2.0
"""The located tree: YAML as values that remember where in the file they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from blackstart.model.runbook import Param

Plain: TypeAlias = str | int | float | bool | None
Path: TypeAlias = tuple[str, ...]  # the keys that lead to a value: ("roles", "ceo", "holders")


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """Return the form that editors and terminals can open."""
        return f"{self.file}:{self.line}:{self.column}"


class Node:
    """What a place in the file holds: a Scalar, a Listing or a Block."""

    __slots__ = ()
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar(Node):
    """One value. `text` is what is written, `value` what YAML 1.2 core makes of it."""

    value: Plain
    text: str
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Node):
    """A list."""

    items: tuple[Node, ...]
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One key of a Block with its value. `at` is the place of the key."""

    key: str
    node: Node
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Block(Node):
    """A mapping. Keys are text and each is there once."""

    entries: tuple[Entry, ...]
    at: Location

    def get(self, key: str) -> Node | None:
        """Return the value of a key, or None when the key is not there."""
        return next((entry.node for entry in self.entries if entry.key == key), None)

    def keys(self) -> Iterator[str]:
        """Return the keys in the order of the file."""
        return (entry.key for entry in self.entries)


def value_of(node: Node) -> Param:
    """Return the plain value of a node, without its locations."""
    if isinstance(node, Block):
        return {entry.key: value_of(entry.node) for entry in node.entries}
    if isinstance(node, Listing):
        return [value_of(item) for item in node.items]
    assert isinstance(node, Scalar)
    return node.value


def kind_of(node: Node) -> str:
    """Return what a node is, in words for people."""
    if isinstance(node, Block):
        return "a mapping"
    if isinstance(node, Listing):
        return "a list"
    assert isinstance(node, Scalar)
    if node.value is None:
        return "empty"
    if isinstance(node.value, bool):
        return "true or false"
    return "text" if isinstance(node.value, str) else "a number"
