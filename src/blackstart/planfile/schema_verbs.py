# SPDX-License-Identifier: Apache-2.0
"""What the JSON Schema says of verbs: their names, and the parameters of each.

Editors complete both, in the long form (`name: { use: verb, params: … }`), in the short one
(`verb: params`), and where parameters stand beside `use` (channels and watches).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blackstart.model.runbook import MANUAL
from blackstart.planfile.verb_shape import VerbShape, with_manual

Schema = dict[str, Any]

_IN_STEPS = ("action", "check", "ask")
_MANUAL = {
    "text": {"type": "string", "minLength": 1, "description": "what is to be done, in words"},
    "drill_text": {
        "type": "string",
        "minLength": 1,
        "description": "what is asked in a drill in place of `text`: it touches nothing real",
    },
    "outputs": {
        "type": "array",
        "items": {"type": "string"},
        "description": "names of what the person hands on",
    },
    "evidence": {"type": "boolean", "description": "whether something has to be kept as proof"},
}


def add_verbs(schema: Schema, verbs: Mapping[str, VerbShape], item: Schema) -> None:
    """Put the verbs into the schema of the plan; `item` is its schema of one item of `do`."""
    whole = with_manual(verbs)
    parts = schema["$defs"]
    acting = {name: shape for name, shape in sorted(whole.items()) if shape.kind in _IN_STEPS}
    parts |= {_part(name): _params(name, shape) for name, shape in acting.items()}
    item["properties"] = {name: _reference(name) for name in acting}
    item["patternProperties"] = {
        pattern: part
        for pattern, part in item["patternProperties"].items()
        if part != {"type": "object"}  # a verb that is not there is refused, not completed
    }
    parts["ActionEntry"]["properties"]["use"]["enum"] = list(acting)
    parts["ActionEntry"]["allOf"] = [_long_form(name, shape) for name, shape in acting.items()]
    for entry, kind in (("ChannelEntry", "channel"), ("WatchEntry", "check")):
        fitting = {name: shape for name, shape in sorted(whole.items()) if shape.kind == kind}
        parts[entry]["properties"]["use"]["enum"] = list(fitting)
        parts[entry]["allOf"] = [_beside(name, shape) for name, shape in fitting.items()]


def _part(verb: str) -> str:
    return f"params of {verb}".replace(" ", "_")


def _reference(verb: str) -> Schema:
    return {"$ref": f"#/$defs/{_part(verb)}"}


def _params(name: str, shape: VerbShape) -> Schema:
    part: Schema = {
        "type": "object",
        "description": shape.meaning or "a person is asked to do it",
        "properties": _MANUAL if name == MANUAL else _named(shape),
        "additionalProperties": False,
    }
    return part | ({"required": sorted(shape.required)} if shape.required else {})


def _named(shape: VerbShape) -> Schema:
    return {parameter: {} for parameter in shape.parameters}


def _is_use(verb: str) -> Schema:
    return {"properties": {"use": {"const": verb}}, "required": ["use"]}


def _long_form(verb: str, shape: VerbShape) -> Schema:
    then: Schema = {"properties": {"params": _reference(verb)}}
    return {
        "if": _is_use(verb),
        "then": then | ({"required": ["params"]} if shape.required else {}),
    }


def _beside(verb: str, shape: VerbShape) -> Schema:
    return {"if": _is_use(verb), "then": {"properties": _named(shape)}}
