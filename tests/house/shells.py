# SPDX-License-Identifier: Apache-2.0
"""No command is put together as text for a shell: a value in it would be read as part of it.

A fixed script is allowed, with its values behind it as words (`sh -c 'echo "$0"' value`): a shell
never reads those as commands.
"""

import ast
from collections.abc import Iterator
from itertools import pairwise

from tests.house.rules import Finding, parse

_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh"})
_STRINGS = frozenset(
    "os.system os.popen subprocess.getoutput subprocess.getstatusoutput "
    "asyncio.create_subprocess_shell pty.spawn".split()
)
_REMEDY = "give the words of a command as a list; a shell's script is a literal"


def shell_strings(source: str) -> list[Finding]:
    """Commands are lists of words, and a script for a shell is a literal."""
    tree = parse(source)
    fixed = _literals(tree)
    found: list[Finding] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found += _shell_calls(node)
        elif isinstance(node, ast.List | ast.Tuple):
            found += [
                Finding(script.lineno, f"a script is put together for a shell: {_REMEDY}")
                for script in _scripts(node.elts)
                if not _is_literal(script, fixed)
            ]
    return found


def _shell_calls(node: ast.Call) -> Iterator[Finding]:
    called = ast.unparse(node.func)
    if called in _STRINGS:
        yield Finding(node.lineno, f"{called}() takes a text for a shell: {_REMEDY}")
    for word in node.keywords:
        is_off = isinstance(word.value, ast.Constant) and not word.value.value
        if word.arg == "shell" and not is_off:
            yield Finding(node.lineno, f"shell={ast.unparse(word.value)}: {_REMEDY}")


def _scripts(words: list[ast.expr]) -> Iterator[ast.expr]:
    """Yield what stands behind `sh … -c`."""
    is_shell = False
    for word, following in pairwise(words):
        text = word.value if isinstance(word, ast.Constant) else ""
        if not isinstance(text, str):
            continue
        if text.rpartition("/")[2] in _SHELLS:
            is_shell = True
        elif is_shell and text.startswith("-") and not text.startswith("--") and "c" in text:
            yield following
            is_shell = False


def _is_literal(script: ast.expr, fixed: frozenset[str]) -> bool:
    is_text = isinstance(script, ast.Constant) and isinstance(script.value, str)
    return is_text or (isinstance(script, ast.Name) and script.id in fixed)


def _literals(tree: ast.Module) -> frozenset[str]:
    """Return the names that are only ever bound to literal texts."""
    bound: dict[str, bool] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            value = node.value
            is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
            is_text = is_text and not isinstance(node, ast.AugAssign)
            for target in targets:
                if isinstance(target, ast.Name):
                    bound[target.id] = bound.get(target.id, True) and is_text
        elif isinstance(node, ast.arg):
            bound[node.arg] = False
    return frozenset(name for name, is_text in bound.items() if is_text)
