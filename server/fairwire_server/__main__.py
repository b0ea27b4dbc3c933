"""`python -m fairwire_server COMMAND`: serve a fair, and everything an operator does beside it.

A command is a module of `commands/` with a click command called `command`: put one there and it is listed. Only the
chosen command's module is imported. So each starts at once, and a library that one command wants and that is missing or
broken stops that command alone (`migrate` must run on a machine where nothing for images is installed).
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Final

import click

from fairwire_server import commands
from fairwire_server.settings import SettingsError, help_text

__all__ = ["main"]

ORDER: Final = (
    "serve",
    "worker",
    "cluster",
    "migrate",
    "import",
    "demo",
    "organiser",
    "token",
    "bounce",
    "epoch",
    "openapi",
    "asyncapi",
)
SHARED: Final = {"common", "import_output"}


class SettingsFault(click.ClickException):
    """All faults of the environment as a list; exit code 2, as for a wrong option."""

    exit_code = 2

    def __init__(self, error: SettingsError) -> None:
        width = max(len(fault.variable) for fault in error.faults)
        lines = [f"  {fault.variable:<{width}}  {fault.problem}" for fault in error.faults]
        hint = "See `python -m fairwire_server settings` for all of them."
        super().__init__("\n".join(["The settings in the environment are wrong:", *lines, hint]))


class Commands(click.Group):
    """Finds a command by the name of its module, and imports that module only."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """What lies in the folder; listing imports nothing."""
        modules = {module.name for module in pkgutil.iter_modules(commands.__path__)} - SHARED
        names = {module.rstrip("_") for module in modules} | set(self.commands)  # `import_.py`: `import` is a keyword
        return sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports `commands/NAME.py` and takes its `command`."""
        if cmd_name in self.commands or cmd_name not in self.list_commands(ctx):
            return self.commands.get(cmd_name)
        module = cmd_name + "_" * (cmd_name == "import")
        command: click.Command = importlib.import_module(f"{commands.__name__}.{module}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command; wrong settings are told to the operator, all together, without a traceback."""
        try:
            result: object = super().invoke(ctx)
        except SettingsError as error:
            raise SettingsFault(error) from error
        return result


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="fairwire", prog_name="fairwire-server")
def main() -> None:
    """The server of an online trade fair's chat.

    Settings come from the environment as FAIRWIRE_… variables; `settings` lists them. Without FAIRWIRE_DATABASE_URL every
    command uses the PostgreSQL embedded in FAIRWIRE_DATA_DIR (./data), joining a running `serve` or starting it.

    \b
    Examples:
      python -m fairwire_server serve
      FAIRWIRE_DATABASE_URL=postgresql://fair@db/fair python -m fairwire_server migrate
    """


@main.command("settings")
def show_settings() -> None:
    """List every setting with its default and what it does."""
    click.echo(help_text())


if __name__ == "__main__":
    main(prog_name="python -m fairwire_server")
