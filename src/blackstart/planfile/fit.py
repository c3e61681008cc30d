# SPDX-License-Identifier: Apache-2.0
"""Fitting the located tree into the declared shape, with every misfit reported in its place.

A part that does not fit becomes a problem and a blank, so that the rest of the file is judged too;
`Problems.spoiled` remembers the blank, and nothing is concluded from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from blackstart.planfile.lists import Lists
from blackstart.planfile.problems import Flaw, Places, Problems, nearest, shown
from blackstart.planfile.tree import Block, Listing, Location, Node, Path, Scalar, kind_of, value_of

S = TypeVar("S", bound=msgspec.Struct)

BLANK_NODE = Scalar(value=None, text="", at=Location(file="", line=1, column=1))
REST = "rest"


@dataclass(frozen=True, slots=True)
class Reading:
    """Where problems and places go while a file is read."""

    problems: Problems
    places: Places
    lists: Lists = field(default_factory=Lists)

    def take(self, flaws: Iterable[Flaw]) -> None:
        """Keep flaws of meaning as problems, at the places of what they are about."""
        self.problems.take(flaws, self.places)

    def refuse(self, node: Node, path: Path, what: str, instead: str) -> None:
        """Keep a problem of this part; it counts as unread from now on."""
        self.problems.add(node.at, what, instead, path)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a place may hold: its type, and the words about it."""

    kind: inspect.Type
    title: str = ""
    examples: tuple[str, ...] = ()


def fit(node: Node, shape: type[S], path: Path, reading: Reading) -> S:
    """Return the entry of this shape; what does not fit is reported and left blank."""
    made = _fit(node, _type_of(shape), path, reading)
    assert isinstance(made, shape)
    return made


@cache
def _type_of(shape: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(shape)


def _fit(node: Node, kind: inspect.Type, path: Path, reading: Reading) -> object:
    wanted = _unwrap(kind, node)
    act = _FITTERS[type(wanted.kind)]
    return act(node, wanted, path, reading)


def _unwrap(kind: inspect.Type, node: Node | None) -> _Wanted:
    """Return the type without its notes; of several types the one for this sort of node."""
    title, examples = "", ()
    while isinstance(kind, inspect.Metadata | inspect.UnionType):
        if isinstance(kind, inspect.UnionType):
            kind = _choose(kind, node)
        else:
            notes = kind.extra_json_schema or {}
            title, examples = notes.get("title", title), tuple(notes.get("examples", examples))
            kind = kind.type
    return _Wanted(kind, title, examples)


def _choose(union: inspect.UnionType, node: Node | None) -> inspect.Type:
    kinds = [kind for kind in union.types if not isinstance(kind, inspect.NoneType)]
    if isinstance(node, Block):
        structs = [kind for kind in kinds if isinstance(kind, inspect.StructType)]
        return (structs or kinds)[0]
    return kinds[0]


def _fit_struct(node: Node, wanted: _Wanted, path: Path, reading: Reading) -> object:
    kind = wanted.kind
    assert isinstance(kind, inspect.StructType)
    if not isinstance(node, Block):
        _refuse_kind(node, wanted, path, reading)
        return _blank(kind)
    fields = {field.name: field for field in kind.fields if field.name != REST}
    rest = next((field for field in kind.fields if field.name == REST), None)
    made: dict[str, object] = {}
    for entry in node.entries:
        here = (*path, entry.key)
        reading.places.note(here, entry.at)
        field = fields.get(entry.key)
        if field is not None:
            made[field.name] = _fit(entry.node, field.type, here, reading)
        elif rest is None:
            what = f"the key {shown(entry.key)} is not known {_where(path)}"
            reading.problems.add(entry.at, what, nearest(entry.key, fields), here)
    if rest is not None:
        made[REST] = _fit_rest(node, fields, rest.type, path, reading)
    for field in kind.fields:
        if field.required and field.name not in made:
            _report_missing(node, field, path, reading)
            made[field.name] = _blank(field.type)
    return kind.cls(**made)


def _fit_rest(
    node: Block, fields: Iterable[str], kind: inspect.Type, path: Path, reading: Reading
) -> object:
    others = tuple(entry for entry in node.entries if entry.key not in set(fields))
    return _fit(Block(entries=others, at=node.at), kind, path, reading)


def _report_missing(node: Node, field: inspect.Field, path: Path, reading: Reading) -> None:
    notes = field.type.extra_json_schema if isinstance(field.type, inspect.Metadata) else None
    meaning = f": {notes['description']}" if notes and "description" in notes else ""
    what = f"'{field.name}' is missing {_where(path)}"
    instead = f"add '{field.name}'{meaning}"
    reading.problems.add(node.at, what, instead, (*path, field.name))


def _fit_dict(node: Node, wanted: _Wanted, path: Path, reading: Reading) -> object:
    kind = wanted.kind
    assert isinstance(kind, inspect.DictType)
    if not isinstance(node, Block):
        _refuse_kind(node, wanted, path, reading)
        return {}
    key_kind = _unwrap(kind.key_type, None)
    made = {}
    for entry in node.entries:
        here = (*path, entry.key)
        reading.places.note(here, entry.at)
        if _matches(entry.key, key_kind.kind):
            made[entry.key] = _fit(entry.node, kind.value_type, here, reading)
        else:
            what = f"{shown(entry.key)} is not {key_kind.title}"
            instead = f"choose a name such as {key_kind.examples[0]}"
            reading.problems.add(entry.at, what, instead, here)
    return made


def _fit_list(node: Node, wanted: _Wanted, path: Path, reading: Reading) -> object:
    kind = wanted.kind
    assert isinstance(kind, inspect.ListType)
    if not isinstance(node, Listing):
        _refuse_kind(node, wanted, path, reading)
        return []
    made = []
    for index, item in enumerate(node.items):
        here = (*path, name_of(item) or str(index))
        reading.places.note(here, item.at)
        value = _fit(item, kind.item_type, here, reading)
        if here not in reading.problems.spoiled:
            made.append(value)
    return made


def name_of(item: Node) -> str:
    """Return what the item of a list calls itself, or "" when it has no name."""
    name = item.get("name") if isinstance(item, Block) else None
    return name.value if isinstance(name, Scalar) and isinstance(name.value, str) else ""


def _fit_text(node: Node, wanted: _Wanted, path: Path, reading: Reading) -> object:
    if not isinstance(node, Scalar):
        _refuse_kind(node, wanted, path, reading)
        return ""
    if isinstance(node.value, str):
        if _matches(node.value, wanted.kind):
            return node.value
        written = f"{shown(node.value)} is not {wanted.title}"
        what = written if node.value.strip() else f"{_label(path)} is left empty"
        reading.refuse(node, path, what, _such_as(wanted))
    elif node.value is not None and _matches(node.text, wanted.kind):
        what = f"{_label(path)} is {kind_of(node)}, not text"
        reading.refuse(node, path, what, f'put it in quotes: "{node.text}"')
    else:
        _refuse_kind(node, wanted, path, reading)
    return ""


def _matches(text: str, kind: inspect.Type) -> bool:
    assert isinstance(kind, inspect.StrType)
    if kind.min_length and not text.strip():
        return False
    return kind.pattern is None or re.fullmatch(kind.pattern, text) is not None


def _fit_int(node: Node, wanted: _Wanted, path: Path, reading: Reading) -> object:
    kind = wanted.kind
    assert isinstance(kind, inspect.IntType)
    value = value_of(node)
    if not isinstance(value, int) or isinstance(value, bool):
        _refuse_kind(node, wanted, path, reading)
        return 1
    if not (kind.ge or value) <= value <= (kind.le or value):
        what = f"{_label(path)} is {value}"
        reading.refuse(node, path, what, f"write a number from {kind.ge} to {kind.le}")
        return 1
    return value


def _fit_bool(node: Node, wanted: _Wanted, path: Path, reading: Reading) -> object:
    value = value_of(node)
    if isinstance(value, bool):
        return value
    _refuse_kind(node, wanted, path, reading)
    return False


def _fit_day(node: Node, wanted: _Wanted, path: Path, reading: Reading) -> object:
    try:
        return date.fromisoformat(node.text if isinstance(node, Scalar) else "")
    except ValueError:
        _refuse_kind(node, wanted, path, reading)
        return date.min


def _fit_choice(node: Node, wanted: _Wanted, path: Path, reading: Reading) -> object:
    options = _options_of(wanted.kind)
    value = value_of(node)
    for option in options:
        if value == option and type(value) is not bool:
            return option
    written = shown(node.text) if isinstance(node, Scalar) else kind_of(node)
    words = [str(option) for option in options]
    what = f"{_label(path)} cannot be {written}"
    reading.refuse(node, path, what, nearest(str(value), words))
    return options[0]


def _options_of(kind: inspect.Type) -> tuple[Any, ...]:
    if isinstance(kind, inspect.EnumType):
        return tuple(kind.cls)
    assert isinstance(kind, inspect.LiteralType)
    return kind.values


def _keep_value(node: Node, _: _Wanted, path: Path, reading: Reading) -> object:
    if isinstance(node, Block):
        for entry in node.entries:
            reading.places.note((*path, entry.key), entry.at)
    return value_of(node)


def _keep_node(node: Node, _: _Wanted, __: Path, ___: Reading) -> object:
    return node


_Fitter = Callable[[Node, _Wanted, Path, Reading], object]
_FITTERS: dict[type[inspect.Type], _Fitter] = {
    inspect.StructType: _fit_struct,
    inspect.DictType: _fit_dict,
    inspect.ListType: _fit_list,
    inspect.StrType: _fit_text,
    inspect.IntType: _fit_int,
    inspect.BoolType: _fit_bool,
    inspect.DateType: _fit_day,
    inspect.EnumType: _fit_choice,
    inspect.LiteralType: _fit_choice,
    inspect.AnyType: _keep_value,
    inspect.CustomType: _keep_node,
}

_TITLES: dict[type[inspect.Type], tuple[str, str]] = {
    inspect.StructType: ("a mapping", "write 'key: value' on lines of its own, indented"),
    inspect.DictType: ("a mapping", "write 'key: value' on lines of its own, indented"),
    inspect.ListType: ("a list", "write [one, two], or '- one' on lines of its own"),
    inspect.StrType: ("text", "write some words"),
    inspect.IntType: ("a whole number", "write a number such as 3"),
    inspect.BoolType: ("true or false", "write true or false"),
    inspect.DateType: ("a day", "write it like 2023-07-01"),
}


def _refuse_kind(node: Node, wanted: _Wanted, path: Path, reading: Reading) -> None:
    title, _ = _TITLES[type(wanted.kind)]
    written = f" ({shown(node.text)})" if isinstance(node, Scalar) and node.text else ""
    what = f"{_label(path)} is {kind_of(node)}{written}, not {wanted.title or title}"
    reading.refuse(node, path, what, _such_as(wanted))


def _such_as(wanted: _Wanted) -> str:
    if wanted.examples:
        return f"write it like {', '.join(wanted.examples)}"
    return _TITLES[type(wanted.kind)][1]


def _label(path: Path) -> str:
    if not path:
        return "the file"
    if path[-1].isdigit() and len(path) > 1:
        return f"item {int(path[-1]) + 1} of {shown(path[-2])}"
    return shown(path[-1])


def _where(path: Path) -> str:
    return f"in {shown('.'.join(path))}" if path else "here"


def _blank(kind: inspect.Type) -> object:
    """Return a stand-in for a required part that is missing."""
    bare = _unwrap(kind, None).kind
    if isinstance(bare, inspect.StructType):
        return bare.cls(**{f.name: _blank(f.type) for f in bare.fields if f.required})
    if isinstance(bare, inspect.LiteralType):
        return bare.values[0]
    return _BLANKS[type(bare)]()


_BLANKS: dict[type[inspect.Type], Callable[[], object]] = {
    inspect.StrType: str,
    inspect.DictType: dict,
    inspect.ListType: list,
    inspect.DateType: lambda: date.min,
}
