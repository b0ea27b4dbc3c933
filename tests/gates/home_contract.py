"""`type = "home"` for import-linter: a library has one home, and only the home imports it (boundary 4).

import-linter's own `protected` contract stops with an error when a module it names is not there yet. A home binds from
the day its library is first imported, so the whole table can stand in pyproject.toml from the start.
"""

from __future__ import annotations

from typing import cast

import grimp
from importlinter import ContractCheck
from importlinter.contracts.protected import ProtectedContract
from importlinter.domain.imports import ModuleExpression

__all__ = ["HomeContract"]


class HomeContract(ProtectedContract):
    """A `protected` contract that skips libraries nobody imports, and homes that are not built yet."""

    type_name = "home"

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:
        # import-linter declares its options as field objects and then sets values of other types on the instance.
        libraries = cast(list[ModuleExpression], self.protected_modules)
        homes = cast(list[ModuleExpression], self.allowed_importers)
        vars(self).update(
            protected_modules=[m for m in libraries if m.expression in graph.modules],
            allowed_importers=[m for m in homes if m.has_wildcard_expression() or m.expression in graph.modules],
        )
        return super().check(graph, verbose)
