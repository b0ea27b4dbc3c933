"""Exhibits (展品): so far only whose they are; the rest of O comes with a later issue."""
