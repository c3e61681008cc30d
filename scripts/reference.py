# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reference from the code: the plan's schema, every verb, every state move.

`make docs` runs it; `make check` fails while a page differs from what it would write.
"""

import dataclasses
import inspect
import json
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from blackstart.bootstrap import load_verbs, shapes
from blackstart.model.states import MOVES
from blackstart.planfile.schema import plan_schema

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
MADE = "<!-- Made by `make docs`. Do not edit. -->\n\n"


def pages() -> Mapping[str, str]:
    """Every reference page: file name and text."""
    return {
        "plan.schema.json": json.dumps(plan_schema(shapes()), indent=2) + "\n",
        "verbs.md": MADE + verbs_page(),
        "states.md": MADE + states_page(),
    }


def verbs_page() -> str:
    """Each verb with its meaning, parameters and outputs, as its provider declares them."""
    verbs, shape_of = load_verbs(), shapes()
    text = "# Verbs\n\nWhat the steps of a plan can name. Parameters in bold must be given.\n"
    for name in sorted(verbs):
        shape = shape_of[name]
        text += f"\n## {name}\n\n*{shape.kind}.* {inspect.cleandoc(verbs[name].__doc__ or '')}\n"
        rows = [_parameter(field) for field in dataclasses.fields(verbs[name])]
        if rows:
            text += (
                "\n| parameter | type | when left out |\n|---|---|---|\n" + "\n".join(rows) + "\n"
            )
        if shape.outputs:
            text += "\nOutputs: " + ", ".join(f"`{output}`" for output in shape.outputs) + "\n"
    return text


def _parameter(field: "dataclasses.Field[object]") -> str:
    kind = field.type if isinstance(field.type, str) else inspect.formatannotation(field.type)
    name = field.name.rstrip("_")
    if field.default is not dataclasses.MISSING:
        return f"| `{name}` | `{_cell(kind)}` | `{_cell(repr(field.default))}` |"
    if field.default_factory is not dataclasses.MISSING:
        return f"| `{name}` | `{_cell(kind)}` | empty |"
    return f"| **`{name}`** | `{_cell(kind)}` | |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def states_page() -> str:
    """Each state table as a drawing and as rows, in the order of the code."""
    text = "# States\n\nEvery legal move, with its reason (`model/states.py`); no other happens.\n"
    for kind in dict.fromkeys(type(old) for old, _, _ in MOVES):
        moves = [(old, new, why) for old, new, why in MOVES if type(old) is kind]
        text += f"\n## {kind.__name__.removesuffix('State')}\n\n```mermaid\nstateDiagram-v2\n"
        text += "".join(f"    {old} --> {new}\n" for old, new, _ in moves) + "```\n\n"
        text += "| from | to | because |\n|---|---|---|\n"
        text += "".join(f"| {_state(old)} | {_state(new)} | {why} |\n" for old, new, why in moves)
    return text


def _state(state: StrEnum) -> str:
    return state.value.replace("_", " ")


def main(arguments: list[str]) -> int:
    """Write the pages that differ and say which; with --check only say, and return 1."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    old = {name: text for name, text in pages().items() if _written(name) != text}
    for name, text in old.items():
        print(f"docs/reference/{name}:1: differs from the code (make docs)")
        if "--check" not in arguments:
            (FOLDER / name).write_text(text)
    return int("--check" in arguments and bool(old))


def _written(name: str) -> str:
    file = FOLDER / name
    return file.read_text() if file.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
