"""Modules and functions stay small enough to be read (quality, habit 1): most are, and nothing is far beyond.

The habit says median 120 to 180 lines, hardly a module over 400, hardly a function over 60. A single one may be right
and is a place to look, not a fault; many are a fault. `python -m tests.gates.test_sizes` lists them.
"""

from __future__ import annotations

from statistics import median

from tests.gates.rules_of_the_house import length
from tests.gates.tree import shipped


def long_modules() -> list[str]:
    return [module.at(1, f"{module.lines} lines") for module in shipped() if module.lines > 400]


def long_functions() -> list[str]:
    return [
        module.at(function.lineno, f"{function.name} is {length(function)} lines long")
        for module in shipped()
        for function in module.functions
        if length(function) > 60
    ]


def test_the_median_module_is_short() -> None:
    lengths = [module.lines for module in shipped() if module.lines > 5]
    assert median(lengths) <= 180


def test_hardly_a_module_is_long() -> None:
    assert len(long_modules()) <= len(shipped()) * 0.03, "\n".join(long_modules())
    assert max(module.lines for module in shipped()) <= 600


def test_hardly_a_function_is_long() -> None:
    functions = sum(len(module.functions) for module in shipped())
    assert len(long_functions()) <= functions * 0.005, "\n".join(long_functions())
    assert max(length(function) for module in shipped() for function in module.functions) <= 100


if __name__ == "__main__":
    print("\n".join([*long_modules(), *long_functions()]) or "nothing is long")
