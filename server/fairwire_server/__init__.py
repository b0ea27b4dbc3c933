"""Fairwire's server: the hub, the operations, and the commands that run them (`python -m fairwire_server --help`)."""

from typing import Final

__all__ = ["__version__"]

__version__: Final = "0.1.0"
