# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema of the plan file, generated from the declarations in `shape`.

Editors complete and check a plan by it; what only meaning can tell is left to `check`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from blackstart.planfile import shape
from blackstart.planfile.fit import REST
from blackstart.planfile.profiles import profile_names
from blackstart.planfile.schema_verbs import add_verbs
from blackstart.planfile.tree import Node
from blackstart.planfile.verb_shape import VerbShape

Schema: TypeAlias = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ACTIONS = "#/$defs/{name}"


def plan_schema(verbs: Mapping[str, VerbShape] | None = None) -> Schema:
    """Return the JSON Schema (draft 2020-12) of the plan file; with `verbs` it knows each."""
    (plan, _), parts = msgspec.json.schema_components(
        (shape.PlanFile, shape.ActionEntry), schema_hook=_action, ref_template=_ACTIONS
    )
    schema: Schema = {"$schema": _DIALECT, "title": "Blackstart plan", **plan, "$defs": parts}
    for part in _parts_of(schema):
        _open_rest(part)
        _drop_null(part)
    schema["$defs"]["SystemEntry"]["properties"]["profile"]["enum"] = list(profile_names())
    if verbs is not None:
        items = [
            part for part in _parts_of(schema) if shape.VERB in part.get("patternProperties", {})
        ]
        for item in items:
            add_verbs(schema, verbs, item)
    return schema


def _action(kind: type) -> Schema:
    """Say what one item of `do` is: a name with its action, or a verb with its parameters."""
    assert kind is Node
    return {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "patternProperties": {
            shape.NAME: {"$ref": _ACTIONS.format(name="ActionEntry")},
            shape.VERB: {"type": "object"},
        },
        "additionalProperties": False,
    }


def _parts_of(part: object) -> Iterator[Schema]:
    if isinstance(part, dict):
        yield part
        for inner in part.values():
            yield from _parts_of(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _parts_of(inner)


def _open_rest(part: Schema) -> None:
    """Say of a mapping with a field `rest` that it takes any other key."""
    properties = part.get("properties", {})
    if REST in properties:
        others = properties.pop(REST)
        part["additionalProperties"] = others.get("additionalProperties", True)


def _drop_null(part: Schema) -> None:
    """Take back that an absent key may also be written as null: it may not."""
    kinds = [kind for kind in part.get("anyOf", ()) if kind != {"type": "null"}]
    if kinds and len(kinds) < len(part["anyOf"]):
        del part["anyOf"]
        part.pop("default", None)
        rest = {"anyOf": kinds} if len(kinds) > 1 else kinds[0]
        part |= {**rest, **part}
