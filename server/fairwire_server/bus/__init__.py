"""The bus: how nodes and helper processes wake each other."""
