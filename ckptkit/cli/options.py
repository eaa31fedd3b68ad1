"""Options that more than one command takes, and the forms of their values."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ckptkit.model.adaptation import InputChannels
    from ckptkit.model.settings import Settings

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

MAX_RANK = 8
FORMATS = ("text", "json")


class Shape(click.ParamType[tuple[int, ...]]):
    """`C,H,W` and the like: positive sizes, outermost first."""

    name = "C,H,W"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the sizes of `value`, or fail with its right form."""
        if isinstance(value, tuple):
            return value
        words = str(value).split(",")
        good = len(words) <= MAX_RANK and all(re.fullmatch(r"[1-9][0-9]{0,8}", word) for word in words)
        if not good:
            self.fail(f"{value!r} is not a shape such as 3,64,64", param, ctx)
        return tuple(int(word) for word in words)


class Profile(click.ParamType[str]):
    """The name of a profile, such as `rl-snake`."""

    name = "PROFILE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return `value`, or fail with the names that there are."""
        from ckptkit.errors import UsageError
        from ckptkit.recovery import profiles

        try:
            profiles.check([str(value)])
        except UsageError as error:
            self.fail(f"{error.what} ({error.fix})", param, ctx)
        return str(value)


class Adaptation(click.ParamType["InputChannels"]):
    """`input-channels=N`: a change of the network."""

    name = "CHANGE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> "InputChannels":
        """Return the change, or fail with its right form."""
        from ckptkit.errors import UsageError
        from ckptkit.model.adaptation import InputChannels

        try:
            return InputChannels.parse(str(value))
        except UsageError as error:
            self.fail(f"{error.what} ({error.fix})", param, ctx)


class Target(click.ParamType[str]):
    """The id of a writer."""

    name = "FORMAT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return `value`, or fail with the ids that there are."""
        from ckptkit import writers

        known = [writer.id for writer in writers.writers()]
        if value not in known:
            self.fail(f"{value!r} is not one of {', '.join(known)}", param, ctx)
        return str(value)


class Codes(click.ParamType[tuple[str, ...]]):
    """Rule codes, names or prefixes of codes, separated by commas."""

    name = "CODES"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return codes and prefixes; fail for one that no rule has, since it would select nothing."""
        if isinstance(value, tuple):
            return value
        return tuple(self._code(word.strip(), param, ctx) for word in str(value).split(","))

    def _code(self, word: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from ckptkit import checks
        from ckptkit.errors import UsageError

        try:
            return checks.expand(word)
        except UsageError as error:
            self.fail(f"{error.what} ({error.fix})", param, ctx)


paths_argument: Decorator = click.argument("paths", metavar="PATH…", nargs=-1, required=True)
format_option: Decorator = click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Form of the output; text unless -o ends in .json.",
)
output_option: Decorator = click.option(
    "-o", "--output", metavar="FILE", help="Write the output to FILE instead of printing it."
)
color_option: Decorator = click.option(
    "--color",
    type=click.Choice(("auto", "always", "never")),
    default="auto",
    show_default=True,
    help="Colour; auto obeys NO_COLOR, FORCE_COLOR and whether this is a terminal.",
)


def config_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where settings are taken from."""
    command = click.option("--no-config", is_flag=True, help="Take no settings from any file.")(command)
    return click.option(
        "--config",
        metavar="FILE",
        help="Take settings from FILE; default: the nearest ckptkit.toml or pyproject.toml.",
    )(command)


def settings(config: str | None, *, no_config: bool) -> "Settings":
    """Return the settings that the two options ask for."""
    from ckptkit.api.configuring import settings as configured
    from ckptkit.model.settings import Settings

    return Settings() if no_config else configured(config)


def flat(groups: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """Join the values of a repeated `Codes` option."""
    return tuple(code for group in groups for code in group)
