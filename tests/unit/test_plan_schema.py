# SPDX-License-Identifier: Apache-2.0
"""The published JSON Schema: it takes the good plan and refuses what the loader refuses."""

import copy
import json
import re
from typing import Any

import pytest
import yaml

from blackstart.planfile.schema import _parts_of, plan_schema
from tests.sample_plan import GOOD

SCHEMA = plan_schema()
KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
}


def faults(value: Any, part: dict[str, Any], path: str = "") -> list[str]:
    """Validate as far as the keywords go that the schema uses; a keyword not known here fails."""
    known = {
        "$schema",
        "$defs",
        "title",
        "description",
        "examples",
        "default",
        "format",
        "$ref",
        "anyOf",
        "enum",
        "type",
        "pattern",
        "minLength",
        "minimum",
        "maximum",
        "items",
        "properties",
        "patternProperties",
        "additionalProperties",
        "required",
        "minProperties",
        "maxProperties",
        "propertyNames",
    }
    assert set(part) <= known, set(part) - known
    if "$ref" in part:
        return faults(value, SCHEMA["$defs"][part["$ref"].rpartition("/")[2]], path)
    if "anyOf" in part and all(faults(value, option, path) for option in part["anyOf"]):
        return [f"{path}: fits nothing"]
    if "enum" in part and value not in part["enum"]:
        return [f"{path}: not one of {part['enum']}"]
    kinds = [part["type"]] if isinstance(part.get("type"), str) else part.get("type", [])
    if kinds and not any(isinstance(value, KINDS[kind]) for kind in kinds):
        return [f"{path}: not {kinds}"]
    if isinstance(value, str):
        return [] if re.search(part.get("pattern", ""), value) else [f"{path}: pattern"]
    if isinstance(value, list):
        return [
            f for n, i in enumerate(value) for f in faults(i, part.get("items", {}), f"{path}.{n}")
        ]
    return faults_of_keys(value, part, path) if isinstance(value, dict) else []


def faults_of_keys(value: dict[str, Any], part: dict[str, Any], path: str) -> list[str]:
    found = [f"{path}: lacks {key}" for key in part.get("required", ()) if key not in value]
    if not part.get("minProperties", 0) <= len(value) <= part.get("maxProperties", 999):
        found.append(f"{path}: number of keys")
    for key, item in value.items():
        inner = part.get("properties", {}).get(key)
        patterns = part.get("patternProperties", {})
        inner = inner or next((patterns[p] for p in patterns if re.search(p, key)), None)
        inner = part.get("additionalProperties", True) if inner is None else inner
        if inner is False:
            found.append(f"{path}.{key}: unknown")
        elif isinstance(inner, dict):
            found += faults(item, inner, f"{path}.{key}")
    return found


def loaded() -> dict[str, Any]:
    plan = json.loads(json.dumps(yaml.safe_load(GOOD), default=str))
    assert isinstance(plan, dict)
    return plan


def test_the_good_plan_fits() -> None:
    assert faults(loaded(), SCHEMA) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("organisation",), None),
        (("unknown",), 1),
        (("blackstart",), 2),
        (("policy", "cadence"), "1 hour"),
        (("policy", "activate_when"), "always"),
        (("people", "p1", "email"), 5),
        (("roles", "ceo", "holders"), "p3"),
        (("channels", "staff", "use"), "smtp"),
        (("systems", "flowfuse-cloud", "watch", "every"), 30),
        (("systems", "flowfuse-cloud", "watch"), None),
        (("systems", "flowfuse-cloud", "targets", "drill", "site"), None),
        (("systems", "flowfuse-cloud", "steps", "verify_platform", "do"), [{"a": {}}]),
        (("systems", "flowfuse-cloud", "steps", "verify_platform", "do"), [{"A.b": {}}]),
        (("systems", "flowfuse-cloud", "steps", "verify_platform", "do"), [{}]),
        (("systems", "flowfuse-cloud", "steps", "verify_platform", "phase"), "recover"),
    ],
)
def test_a_broken_plan_does_not_fit(path: tuple[str, ...], value: object) -> None:
    plan = copy.deepcopy(loaded())
    inner = plan
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert len(faults(plan, SCHEMA)) >= 1


@pytest.mark.parametrize("do", [[{"a": {"use": "http.expect"}}], [{"http.expect": {"url": "x"}}]])
def test_both_forms_of_an_action_fit(do: list[object]) -> None:
    plan = loaded()
    plan["systems"]["flowfuse-cloud"]["steps"]["verify_platform"]["do"] = do
    plan["policy"]["activate_when"] = {"any": ["data is lost"]}
    assert faults(plan, SCHEMA) == []


def test_the_schema_says_which_dialect_it_is_and_serialises() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert '"rest"' not in json.dumps(SCHEMA)
    assert {"type": "null"} not in list(_parts_of(SCHEMA))
