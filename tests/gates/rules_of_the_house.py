"""What import-linter cannot express, as functions from one module to its findings (boundaries 3, 6; quality, habits 1, 7).

Functions, so that the tests can show each one red on a line that breaks it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from typing import Final

from tests.gates.tree import Function, Module, imported_names

__all__ = [
    "async_in_rules",
    "clocks_in_sql",
    "environment",
    "impure_imports",
    "local_imports",
    "mocks",
    "sleeps",
    "sql_in_python",
    "unexported",
]

# A string is SQL when it opens as a statement does. English sentences that open with such a word lack the second one.
_SQL: Final = re.compile(
    r"""^\s*(
        select\s+(\*|\d|distinct\b|[\w."]+\s*\(|.*\bfrom\s+\w)
      | with\s+(recursive\s+)?\w+(\s*\([\w\s,]*\))?\s+as\s+(not\s+|materialized\s+)*\(
      | insert\s+into\s+\w | update\s+[\w."]+\s+(as\s+\w+\s+)?set\s | delete\s+from\s+\w | merge\s+into\s+\w
      | (create|alter|drop)\s+(or\s+replace\s+|unique\s+|temp(orary)?\s+|unlogged\s+)*
          (table|index|database|role|user|schema|extension|function|trigger|type|view|sequence|system)\b
      | truncate\s+(table\s+)?\w+\s*(,|;|$|cascade) | lock\s+table\s | copy\s+[\w."]+\s*(\(|from|to)\s
      | (set|reset)\s+(local|session|transaction)\s | (un)?listen\s+[\w*"]+\s*;?$ | notify\s+\w+\s*(,|;|$)
      | (begin|commit|rollback)\s*;?$ | savepoint\s+\w+\s*;?$
    )""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_NOW: Final = re.compile(
    r"(?<!\bdefault )\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\s*\(|"
    r"\b(current_timestamp|current_date|current_time|localtimestamp|localtime)\b",
    re.IGNORECASE,
)
# Standard library that does I/O, reads a clock, or throws dice. `datetime` is a value type; its clock is looked for below.
_IMPURE: Final = frozenset(
    {"asyncio", "concurrent", "ftplib", "glob", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random"}
    | {"sched", "secrets", "select", "selectors", "shutil", "signal", "smtplib", "socket", "socketserver", "sqlite3"}
    | {"ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib"}
)
_CLOCKS: Final = frozenset({"now", "utcnow", "today"})
_DICE: Final = frozenset({"uuid1", "uuid4", "uuid7"})


def _docstrings(module: Module) -> set[ast.expr]:
    """Every string that stands as a statement of its own: documentation, never a query."""
    return {node.value for node in ast.walk(module.tree) if isinstance(node, ast.Expr)}


def sql_in_python(module: Module) -> Iterator[str]:
    """Boundary 6: queries are named and live in .sql files."""
    prose = _docstrings(module)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if node not in prose and _SQL.match(text):
            yield module.at(node.lineno, f"SQL in Python: {' '.join(text.split())[:60]!r}")


def clocks_in_sql(path: str, text: str) -> Iterator[str]:
    """Boundary 6: SQL that decides gets `$now`. The exception says why: `-- clock: …` on its line or the one above.

    A column's `DEFAULT now()` stamps a row and decides nothing.
    """
    lines = text.splitlines()
    for number, line in enumerate(lines):
        code, _, comment = line.partition("--")
        excused = "clock:" in comment or (number > 0 and lines[number - 1].lstrip().startswith("-- clock:"))
        if _NOW.search(code) and not excused:
            yield f"{path}:{number + 1}: SQL reads a clock: {line.strip()[:60]!r}"


def environment(module: Module) -> Iterator[str]:
    """Boundary 6: only settings.py reads the environment."""
    for node in ast.walk(module.tree):
        attribute = isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.environb", "os.getenv"}
        imported = set(imported_names(node)) & {"os.environ", "os.environb", "os.getenv"}
        if isinstance(node, ast.expr | ast.stmt) and (attribute or imported):
            yield module.at(node.lineno, "an environment variable outside settings.py")


def impure_imports(module: Module) -> Iterator[str]:
    """Boundary 3: rules import the pure part of the standard library, the protocol's types and other rules."""
    for node in ast.walk(module.tree):
        for name in imported_names(node):
            top = name.partition(".")[0]
            ours = top == "fairwire_protocol" or re.match(r"fairwire_server\.\w+\.rules\b", name)
            pure = top in sys.stdlib_module_names and top not in _IMPURE
            assert isinstance(node, ast.stmt)
            if not (ours or pure):
                yield module.at(node.lineno, f"rules import {name}")


def async_in_rules(module: Module) -> Iterator[str]:
    """Boundary 3: no await, no I/O, no clock, no dice; `now` and new ids are arguments."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield module.at(node.lineno, "rules are not asynchronous")
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            last = called.rpartition(".")[2]
            if called in {"open", "print", "input"} or last in _DICE or ("." in called and last in _CLOCKS):
                yield module.at(node.lineno, f"rules call {called}()")


def local_imports(module: Module) -> Iterator[str]:
    """Habit 1: an import inside a function has its reason in a comment beside it."""
    for function in module.functions:
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom) and not module.reasoned(node.lineno):
                yield module.at(node.lineno, f"an import inside {function.name} without its reason")


def unexported(module: Module) -> Iterator[str]:
    """Habit 10: a module of the protocol or the SDK says what is public in `__all__`; and what `__all__` says exists."""
    exported: list[str] | None = None
    defined: set[str] = set()
    public: set[str] = set()
    for node in module.tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                exported = list(ast.literal_eval(value))
            case ast.Assign(targets=targets):
                defined |= {target.id for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                defined.add(name)
            case ast.If(
                body=[ast.Assign(targets=[ast.Name(id=name)])], orelse=[ast.Assign(targets=[ast.Name(id=other)])]
            ) if name == other:
                defined.add(name)
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                defined.add(name)
                public |= {name} if not name.startswith("_") else set()
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                defined |= {alias.asname or alias.name.partition(".")[0] for alias in names}
            case _:
                pass
    if exported is None:
        package, _, rest = module.name.partition(".")
        if package != "fairwire_server" and public and "." not in rest and rest != "__main__":
            yield module.at(1, f"no __all__, and public names: {', '.join(sorted(public))}")
        return
    for missing in sorted(set(exported) - defined):
        yield module.at(1, f"__all__ names {missing}, which is not here")


def sleeps(module: Module) -> Iterator[str]:
    """Tests wait for what they wait for; time jumps by the injected clock. A fault that must last says so in a comment."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"asyncio.sleep", "time.sleep", "sleep"}:
            how_long = ast.unparse(node.args[0]) if node.args else ""
            if how_long not in {"0", "0.0"} and not module.reasoned(node.lineno):
                yield module.at(node.lineno, f"sleeps {how_long}")


def mocks(module: Module) -> Iterator[str]:
    """Boundary 7: no mocks of our own code, and none of anybody else's is needed."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.stmt) and any("mock" in name.split(".") for name in imported_names(node)):
            yield module.at(node.lineno, "imports a mock library")


def length(function: Function) -> int:
    """Lines from `def` to the end of the body."""
    return (function.end_lineno or function.lineno) - function.lineno + 1
