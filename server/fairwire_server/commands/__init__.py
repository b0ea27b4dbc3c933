"""The commands of `python -m fairwire_server`: each module here holds one click command named `command`."""
