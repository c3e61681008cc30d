# SPDX-License-Identifier: Apache-2.0
"""Building the located tree from the scanner's events, with every limit that a plan needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    MappingStartEvent,
    ScalarEvent,
)

from blackstart.planfile.problems import Problems, shown
from blackstart.planfile.scalars import drops_digits, is_usable, resolve
from blackstart.planfile.tree import Block, Entry, Listing, Location, Node, Plain, Scalar

NODES_AT_MOST = 20_000  # aliases counted as often as they are used
DEPTH_AT_MOST = 32


class Unreadable(Exception):
    """The rest of the file cannot or must not be read."""

    def __init__(self, at: Location, what: str, instead: str) -> None:
        super().__init__(what)
        self.at, self.what, self.instead = at, what, instead


@dataclass(slots=True, kw_only=True)
class _Open:
    """A list or mapping whose end was not reached yet."""

    at: Location
    is_block: bool
    anchor: str | None
    counted_before: int
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    key: Scalar | None = None
    is_key_known: bool = False

    def close(self) -> Node:
        if self.is_block:
            return Block(entries=tuple(self.entries.values()), at=self.at)
        return Listing(items=tuple(self.items), at=self.at)


@dataclass(slots=True, kw_only=True)
class Builder:
    """Builds the tree from the scanner's events, one at a time."""

    file: str
    problems: Problems
    root: Node | None = None
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Node, int] | None] = field(default_factory=dict)
    count: int = 0
    documents: int = 0
    at: Location = field(init=False)

    def __post_init__(self) -> None:
        self.at = Location(file=self.file, line=1, column=1)

    def take(self, event: Any) -> None:
        """Add what the event says to the tree."""
        mark = event.start_mark
        self.at = Location(file=self.file, line=mark.line + 1, column=mark.column + 1)
        match event:
            case DocumentStartEvent():
                self._take_document(event)
            case ScalarEvent():
                self._take_scalar(event)
            case AliasEvent():
                self._take_alias(event)
            case CollectionStartEvent():
                self._take_start(event)
            case CollectionEndEvent():
                self._take_end()
            case _:
                pass  # the stream's ends and the document's say nothing

    def _take_document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            raise Unreadable(self.at, "a second document begins here", "keep one plan per file")
        if event.version not in {None, (1, 2)}:
            self.problems.add(self.at, "a plan is YAML 1.2", "remove the '%YAML' line")

    def _take_scalar(self, event: Any) -> None:
        self._count(1)
        self._refuse_tag(event)
        is_plain = not event.style
        node = Scalar(value=self._resolve(event.value, is_plain), text=event.value, at=self.at)
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, 1)
        self._place(node)

    def _take_alias(self, event: Any) -> None:
        known = self.anchors.get(event.anchor)
        if known is None:
            is_open = event.anchor in self.anchors
            what = "holds itself" if is_open else "refers to nothing before it"
            raise Unreadable(self.at, f"the alias {shown(event.anchor)} {what}", "write it out")
        self._count(known[1])
        self._place(known[0])

    def _take_start(self, event: Any) -> None:
        if len(self.stack) >= DEPTH_AT_MOST:
            what = f"this is nested more than {DEPTH_AT_MOST} deep"
            raise Unreadable(self.at, what, "no part of a plan is that deep; write it flat")
        self._refuse_tag(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        before = self.count
        self._count(1)
        self.stack.append(
            _Open(
                at=self.at,
                is_block=isinstance(event, MappingStartEvent),
                anchor=event.anchor,
                counted_before=before,
            )
        )

    def _take_end(self) -> None:
        done = self.stack.pop()
        node = done.close()
        if done.anchor is not None:
            self.anchors[done.anchor] = (node, self.count - done.counted_before)
        self._place(node)

    def _place(self, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        around = self.stack[-1]
        if not around.is_block:
            around.items.append(node)
        elif not around.is_key_known:
            around.key, around.is_key_known = self._as_key(node), True
        else:
            around.is_key_known = False
            if around.key is not None:
                self._add_entry(around.entries, around.key, node)

    def _as_key(self, node: Node) -> Scalar | None:
        if not isinstance(node, Scalar) or not node.text:
            self.problems.add(node.at, "a key must be a word", "write it as text")
        elif node.text == "<<":
            instead = "write the keys out; a target can use 'like'"
            self.problems.add(node.at, "YAML 1.2 has no merge keys", instead)
        else:
            return node
        return None

    def _add_entry(self, entries: dict[str, Entry], key: Scalar, node: Node) -> None:
        earlier = entries.get(key.text)
        if earlier is None:
            entries[key.text] = Entry(key=key.text, node=node, at=key.at)
            return
        what = f"the key {shown(key.text)} is already on line {earlier.at.line}"
        self.problems.add(key.at, what, "keep one of the two")

    def _count(self, more: int) -> None:
        self.count += more
        if self.count > NODES_AT_MOST:
            what = f"the plan has more than {NODES_AT_MOST} values, aliases counted as written out"
            raise Unreadable(self.at, what, "keep long lists in files of their own")

    def _refuse_tag(self, event: Any) -> None:
        if event.tag is not None:
            what = f"the tag {shown(event.tag)} has no meaning in a plan"
            self.problems.add(self.at, what, "remove it; quotes make a value text")

    def _resolve(self, text: str, is_plain: bool) -> Plain:
        if not is_usable(text):
            what = "this text holds a control character or half a character"
            self.problems.add(self.at, what, "write it without such escapes")
            return ""
        if not is_plain:
            return text
        try:
            if drops_digits(text):
                what = f"{shown(text)} is a number and would lose its last 0"
                self.problems.add(
                    self.at, what, "put it in quotes if it is text, such as a version"
                )
            return resolve(text)
        except OverflowError:
            what = f"{shown(text)} is a number that does not fit 64 bits"
            self.problems.add(self.at, what, "put it in quotes if it is text")
            return 0
