"""The commands of `python -m fairwire_server`, one module each."""
