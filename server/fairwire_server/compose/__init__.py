"""The composition root: the only place that knows every other module, and introduces them to each other."""

from fairwire_server.compose.node import Node, open_node

__all__ = ["Node", "open_node"]
