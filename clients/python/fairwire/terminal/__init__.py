"""The terminal chat, built on the SDK alone: what `python -m fairwire` runs."""
