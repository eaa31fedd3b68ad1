"""The `ckptkit` group: it knows names and summaries, and imports a command when it is called."""

import gc
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from ckptkit.cli.boundary import Boundary

COMMANDS = {
    "inspect": "Say what a checkpoint is and holds, or draw its network.",
    "scan": "Say what the pickles in any file name, without running them.",
    "validate": "Check checkpoints and bundles; report every violation.",
    "convert": "Write a checkpoint as a versioned, hashed bundle.",
    "migrate": "Make version 2 bundles of a file or a whole directory tree.",
    "compat": "Say whether A fits where B does, with every reason.",
    "diff": "Say in what two checkpoints differ: fields, layers and tensors.",
    "repair": "Mend what can be proven, and say what is left.",
    "export": "Export a network to ONNX, without torch.",
    "recover": "Say which network PATH holds, how sure that is, and what is open.",
    "runs": "Choose, rank, prune and publish the checkpoints of training runs.",
    "baseline": "Accept the findings of today; validate then reports new ones.",
    "cache": "Say where results of earlier runs are kept, or remove them.",
    "rules": "List the rules that validate checks.",
    "explain": "Say what a rule means and what to do.",
}
GARBAGE = 400_000
"""Objects made between two looks for garbage in circles."""
EPILOG = "Exit status: 0 clean, 1 findings, 2 usage, internal error or incomplete check."


class LazyGroup(click.Group):
    """A group whose help needs none of its commands to be imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names in the order of the help text."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"ckptkit.cli.{cmd_name}").command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command list from the summaries."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _versions(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Show the versions and leave; what finds them is imported only then."""
    if wanted and not context.resilient_parsing:
        from ckptkit.cli.about import text

        click.echo(text(), nl=False)
        context.exit()


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_versions,
    help="Show versions of ckptkit, its rules, Python and packages, and exit.",
)
def group() -> None:
    """Turn any Stable-Baselines3 or PyTorch checkpoint into a versioned, hashed, validated bundle.

    Nothing in a checkpoint is executed, and neither torch nor the library that wrote it is needed.
    """


def status(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; nothing is raised.

    Args:
        arguments: Words after the program's name; None for those of this process.
    """
    with Boundary() as boundary:
        words = None if arguments is None else list(arguments)
        boundary.status = group.main(words, prog_name="ckptkit", standalone_mode=False) or 0
        if sys.stdout is not None:
            sys.stdout.flush()
    return boundary.status


def run() -> NoReturn:
    """Run the command line and leave the process with its exit status."""
    # What a file of many tensors is read into is all in use and hardly ever in circles: looking through it
    # again and again for circles, as Python does by default, takes a third of the time.
    gc.set_threshold(GARBAGE, 20, 100)
    sys.exit(status())
