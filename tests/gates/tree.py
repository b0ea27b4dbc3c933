"""What the gates look at: the project's own Python and SQL, read once, and small questions about syntax trees."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Final

__all__ = ["PACKAGES", "ROOT", "Function", "Module", "imported_names", "modules", "shipped"]

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = {
    "fairwire_protocol": ROOT / "protocol" / "fairwire_protocol",
    "fairwire": ROOT / "clients" / "python" / "fairwire",
    "fairwire_server": ROOT / "server" / "fairwire_server",
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One Python file, with its dotted name."""

    name: str
    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text, str(self.path))

    @cached_property
    def lines(self) -> int:
        """How long it is."""
        return self.text.count("\n")

    @cached_property
    def comments(self) -> dict[int, str]:
        """Its comments, by line."""
        tokens = tokenize.generate_tokens(StringIO(self.text).readline)
        return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}

    @cached_property
    def functions(self) -> list[Function]:
        """Every function and method, nested ones too."""
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    def at(self, line: int, why: str) -> str:
        """A finding, as editors and people read it."""
        where = self.path.relative_to(ROOT) if self.path.is_relative_to(ROOT) else self.path.name
        return f"{where}:{line}: {why}"

    def reasoned(self, line: int) -> bool:
        """Whether a comment stands on that line or on the one above."""
        return any(re.search(r"[a-z]{3}", self.comments.get(number, "")) for number in (line, line - 1))


def modules(folder: Path, package: str = "") -> Iterator[Module]:
    """Every Python file below a folder."""
    for path in sorted(folder.rglob("*.py")):
        if "node_modules" in path.parts:
            continue
        parts = path.relative_to(folder).with_suffix("").parts
        dotted = ".".join([package, *parts] if package else parts).removesuffix(".__init__")
        yield Module(dotted, path, path.read_text(encoding="utf-8"))


def shipped(*packages: str) -> list[Module]:
    """The modules of our packages, or of those named."""
    return [module for name in packages or PACKAGES for module in modules(PACKAGES[name], name)]


def imported_names(node: ast.AST) -> list[str]:
    """The modules a statement imports: `from a import b` is `a.b`, which may be a module or a name in one."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        package = "." * node.level + (f"{node.module}." if node.module else "")
        return [package + alias.name for alias in node.names]
    return []
