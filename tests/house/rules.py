# SPDX-License-Identifier: Apache-2.0
"""The rules of the house that a linter does not know: pure functions from source text to findings.

A finding says the line, what is wrong and what to write instead. `test_rules.py` proves each rule
both ways on samples; `test_tree.py` holds the whole tree to them. For text that is no Python see
`texts.py`.
"""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of one rule: where, what, and the remedy."""

    line: int
    what: str


Rule = Callable[[str], list[Finding]]
Function = ast.FunctionDef | ast.AsyncFunctionDef

MODULE_LINES = 400
FUNCTION_LINES = 40
FUNCTION_LINES_HARD = 70
BANNED_LAST_WORDS = frozenset(
    "manager managers handler handlers helper helpers util utils service services data info misc "
    "base".split()
)
NEED_UNIT = frozenset(
    "timeout delay interval duration grace elapsed latency period lag ttl size age".split()
)
UNITS = frozenset("s ms us ns seconds millis minutes hours days bytes kib mib gib percent".split())
PURE_BANNED = frozenset(
    "asyncio click concurrent cryptography dns http httpx io multiprocessing os random rich yaml "
    "secrets select shutil signal slack_sdk smtplib socket sqlite3 ssl subprocess tempfile "
    "threading time urllib uuid".split()
)
PURE_PATHS = frozenset({"PurePath", "PurePosixPath"})
WAIVERS = {
    "noqa": re.compile(r"#\s*(ruff:\s*)?noqa", re.IGNORECASE),
    "type-ignore": re.compile(r"#\s*(type:\s*ignore|mypy:)", re.IGNORECASE),
    "no-cover": re.compile(r"#\s*pragma:\s*no\s*(cover|branch)", re.IGNORECASE),
    "nosec": re.compile(r"#\s*nosec", re.IGNORECASE),
    "format-off": re.compile(r"#\s*fmt:\s*(off|skip)", re.IGNORECASE),
}


@cache
def parse(source: str) -> ast.Module:
    """The syntax tree, made once for all rules; none of them changes it."""
    return ast.parse(source)


def module_length(source: str) -> list[Finding]:
    """A module fits in the head."""
    lines = len(source.splitlines())
    if lines <= MODULE_LINES:
        return []
    return [Finding(MODULE_LINES, f"module of {lines} lines (limit {MODULE_LINES}): cut it in two")]


def function_length_hard(source: str) -> list[Finding]:
    """No function exceeds the hard stop, anywhere."""
    return [
        Finding(
            line,
            f"{name} has {lines} lines (hard stop {FUNCTION_LINES_HARD}): cut it into named parts",
        )
        for line, name, lines in long_functions(source)
        if lines > FUNCTION_LINES_HARD
    ]


def long_functions(source: str) -> list[tuple[int, str, int]]:
    """Each function over the soft limit, as (line, qualified name, lines); every line counts."""
    return [
        (node.lineno, name, lines)
        for name, node in _functions(parse(source))
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    ]


def banned_names(source: str) -> list[Finding]:
    """Names say what a thing is or does; words that fit everything say nothing."""
    found: list[Finding] = []
    for node in ast.walk(parse(source)):
        if isinstance(node, ast.ClassDef) and _last_word(node.name) in BANNED_LAST_WORDS:
            found.append(Finding(node.lineno, f"class {node.name}: name it by what it is"))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found += _banned_in_function(node)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found += _banned_value(node.target.id, node.lineno)
    return found


def _banned_in_function(node: Function) -> Iterator[Finding]:
    words = _words(node.name)
    if words and words[0] == "process":
        yield Finding(node.lineno, f"{node.name}(): 'process' is no verb; say what is done")
    if words and words[-1] in BANNED_LAST_WORDS:
        yield Finding(node.lineno, f"{node.name}(): end on a word that says something")
    for arg in _arguments(node):
        yield from _banned_value(arg.arg, arg.lineno)


def _banned_value(name: str, line: int) -> Iterator[Finding]:
    words = _words(name)
    if len(words) > 1 and words[-1] in BANNED_LAST_WORDS:
        yield Finding(line, f"value {name}: name it by what it means")


def units_last(source: str) -> list[Finding]:
    """A number that is a span or a size ends on its unit: `timeout_s`, `size_bytes`."""
    found = []
    for name, line, annotation in _annotated(parse(source)):
        words = _words(name)
        if not words or not _is_number(annotation):
            continue
        if words[-1] in NEED_UNIT:
            found.append(
                Finding(line, f"{name}: add the unit last, such as {name}_s or {name}_bytes")
            )
        elif len(words) > 1 and words[0] in UNITS and words[-1] not in UNITS:
            found.append(Finding(line, f"{name}: the unit comes last"))
    return found


def doubles(source: str) -> list[Finding]:
    """Tests use the real thing, or a fake that ships with the product; nothing is patched."""
    found = []
    for node in ast.walk(parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom) and _imports(node) & {
            "mock",
            "unittest.mock",
        }:
            found.append(Finding(node.lineno, "imports mock: use the real thing or a shipped fake"))
        elif isinstance(node, ast.Name) and node.id in {"Mock", "MagicMock", "AsyncMock", "mocker"}:
            found.append(Finding(node.lineno, f"{node.id}: use the real thing or a shipped fake"))
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in {
            "monkeypatch.setattr",
            "monkeypatch.delattr",
            "monkeypatch.setitem",
            "mock.patch",
        }:
            found.append(
                Finding(node.lineno, f"{ast.unparse(node)}: pass the part in as an argument")
            )
    return found


def sleeps(source: str) -> list[Finding]:
    """Waiting is for a condition with a deadline, never for time to pass."""
    return list(_sleeps(source, {"time", "asyncio"}))


def thread_sleeps(source: str) -> list[Finding]:
    """A sleeping thread cannot be cancelled, so only the floor that owns the clock may have one."""
    return list(_sleeps(source, {"time"}))


def deaf_waits(source: str) -> list[Finding]:
    """A provider that does not hear that it has to end holds the driver up for weeks."""
    return [
        Finding(node.lineno, "wait_until hears nothing: wait by blackstart.providers.limits")
        for node in ast.walk(parse(source))
        if isinstance(node, ast.ImportFrom)
        and "blackstart.world.clock.wait_until" in _imports(node)
    ]


def _sleeps(source: str, modules: set[str]) -> Iterator[Finding]:
    remedy = "wait for the condition with a deadline (blackstart.world.clock, Event.wait)"
    calls = {f"{module}.sleep" for module in modules}
    for node in ast.walk(parse(source)):
        if isinstance(node, ast.ImportFrom) and _imports(node) & calls:
            yield Finding(node.lineno, f"imports sleep: {remedy}")
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in calls:
            yield Finding(node.lineno, f"{ast.unparse(node)}: {remedy}")


def assertion_free_tests(source: str) -> list[Finding]:
    """A test that cannot fail proves nothing; a function of the same file may assert for it."""
    functions = list(_functions(parse(source)))
    proving = {node.name for _, node in functions if any(map(_is_proof, ast.walk(node)))}
    return [
        Finding(node.lineno, f"{name} asserts nothing: say what must hold")
        for name, node in functions
        if node.name.startswith("test_")
        and node.name not in proving
        and not any(_called(inner) in proving for inner in ast.walk(node))
    ]


def _is_proof(node: ast.AST) -> bool:
    called = _called(node).lstrip("_")
    return isinstance(node, ast.Assert) or called.startswith(
        ("raises", "fail", "assert", "expect", "must", "prove", "run_state_machine")
    )


def _called(node: ast.AST) -> str:
    return ast.unparse(node.func).split(".")[-1] if isinstance(node, ast.Call) else ""


def impure_imports(source: str) -> list[Finding]:
    """The pure floors take values and return values: no outside, no clock, no chance."""
    found = []
    for node in ast.walk(parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            reached = {name.split(".")[0] for name in _imports(node)} & PURE_BANNED
            if reached:
                found.append(
                    Finding(
                        node.lineno,
                        f"pure module imports {', '.join(sorted(reached))}: take it as a value",
                    )
                )
            found += _impure_paths(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in {"now", "utcnow", "today"}:
                found.append(
                    Finding(
                        node.lineno, f"{ast.unparse(node.func)}(): take the time as an argument"
                    )
                )
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"open", "print", "input"}
        ):
            found.append(
                Finding(node.lineno, f"{node.func.id}() in a pure module: return the value")
            )
    return found


def _impure_paths(node: ast.Import | ast.ImportFrom) -> list[Finding]:
    if "pathlib" not in _imports(node):
        return []
    if isinstance(node, ast.ImportFrom) and {alias.name for alias in node.names} <= PURE_PATHS:
        return []
    return [Finding(node.lineno, "pathlib touches files: import PurePath or PurePosixPath")]


def imported_packages(source: str) -> set[str]:
    """The top-level packages that the source imports."""
    return {
        name.split(".")[0]
        for node in ast.walk(parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in _imports(node)
    }


def raw_dicts(source: str) -> list[Finding]:
    """Beyond the loader and the codec the domain is made of typed values."""
    return [
        Finding(node.lineno, f"{ast.unparse(node)} in the domain: make a frozen dataclass")
        for node in ast.walk(parse(source))
        if isinstance(node, ast.Subscript)
        and re.fullmatch(r"(dict|Mapping|MutableMapping)\[str, (Any|object)\]", ast.unparse(node))
    ]


def late_imports(source: str) -> list[Finding]:
    """Imports stand at the top, where the floors can be read."""
    remedy = "import inside a function: move it to the top (only cli/ may be late)"
    lines = {
        node.lineno
        for _, function in _functions(parse(source))
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    return [Finding(line, remedy) for line in sorted(lines)]


def missing_docstrings(source: str) -> list[Finding]:
    """The module and each public class and function says what it means."""
    tree = parse(source)
    found = []
    if not ast.get_docstring(tree):
        found.append(Finding(1, "module without docstring: say what it is for and why"))
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if not node.name.startswith("_") and not ast.get_docstring(node):
            remedy = "say its meaning, units, errors raised"
            found.append(Finding(node.lineno, f"{node.name} without docstring: {remedy}"))
    return found


def waivers(source: str) -> dict[str, list[int]]:
    """The lines of each kind of waiver, from comments only; skipped tests count as well."""
    found: dict[str, list[int]] = {kind: [] for kind in WAIVERS}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            for kind in [kind for kind, pattern in WAIVERS.items() if pattern.search(token.string)]:
                found[kind].append(token.start[0])
    skip = re.compile(r"pytest\.(mark\.)?(skip|skipif|xfail|importorskip)")
    found["skip"] = sorted(
        node.lineno
        for node in ast.walk(parse(source))
        if isinstance(node, ast.Attribute) and skip.fullmatch(ast.unparse(node))
    )
    return found


def _functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name, node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")
        else:
            yield from _functions(node, prefix)


def _arguments(node: Function) -> list[ast.arg]:
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def _annotated(tree: ast.AST) -> Iterator[tuple[str, int, ast.expr | None]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for arg in _arguments(node):
                yield arg.arg, arg.lineno, arg.annotation
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.lineno, node.annotation


def _is_number(annotation: ast.expr | None) -> bool:
    return annotation is not None and ast.unparse(annotation) in {
        "int",
        "float",
        "int | None",
        "float | None",
    }


def _imports(node: ast.Import | ast.ImportFrom) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    return {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}


def _words(name: str) -> list[str]:
    return [
        word.lower() for word in re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+", name)
    ]


def _last_word(name: str) -> str:
    return (_words(name) or [""])[-1]
