"""`ckptkit export`: networks for other programs to run."""

import json

import click

from ckptkit.cli import options
from ckptkit.cli.output import emit, form_of, wants_color


class Arguments(click.ParamType[dict[str, object]]):
    """Keyword arguments as a JSON object."""

    name = "JSON"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, object]:
        """Return the object, or fail with its right form."""
        if isinstance(value, dict):
            return value
        try:
            found = json.loads(str(value))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            self.fail(f'{value!r} is not a JSON object such as {{"hidden": 64}}', param, ctx)
        return found


@click.group("export")
def command() -> None:
    """Export a network to ONNX, without torch."""


@command.command("onnx")
@click.argument("source", metavar="SRC")
@click.option(
    "-o", "--output", metavar="FILE", help="One self-contained file to write; without it, the bundle SRC."
)
@click.option("--normalize", is_flag=True, help="Fold the statistics of a VecNormalize in front; with -o.")
@click.option("--parity", is_flag=True, help="Compute outputs to compare with where SRC records none.")
@click.option("--module", metavar="PKG:CLASS", help="Export this class of yours with torch instead; with -o.")
@click.option("--module-kwargs", type=Arguments(), help="Keyword arguments of the class; a JSON object.")
@click.option("--input-shape", type=options.Shape(), help="Shape of one observation, where SRC cannot tell.")
@click.option(
    "--assume", type=options.Profile(), multiple=True, help="Profile for what SRC cannot tell; repeatable."
)
@click.option("--force", is_flag=True, help="Replace FILE.")
@click.option("--dry-run", is_flag=True, help="Do everything but write.")
@click.option(
    "--format", "form", type=click.Choice(options.FORMATS), help="Form of the receipt; text by default."
)
@options.color_option
def onnx(
    *,
    source: str,
    output: str | None,
    normalize: bool,
    parity: bool,
    module: str | None,
    module_kwargs: dict[str, object] | None,
    input_shape: tuple[int, ...] | None,
    assume: tuple[str, ...],
    force: bool,
    dry_run: bool,
    form: str | None,
    color: str,
) -> int:
    """Export the network of a checkpoint to ONNX, without torch.

    SRC is any checkpoint whose architecture is known. With -o, FILE holds graph and weights. Without
    it SRC is a deploy bundle: its model.onnx and recorded outputs are written anew, the weights stay
    in model.safetensors. Outputs that SRC records are compared with those of ONNX Runtime first.

    Exit status: 0, or 1 where SRC is refused, its architecture is not known or outputs differ, or 2
    where it cannot be read or FILE cannot be written.
    """
    from ckptkit import api, report
    from ckptkit.errors import UsageError

    if module_kwargs is not None and module is None:
        raise UsageError("--module-kwargs needs --module")
    done = api.export_onnx(
        source,
        output,
        normalize=normalize,
        parity=parity,
        module=api.OwnModule(module, module_kwargs or {}) if module else None,
        force=force,
        dry_run=dry_run,
        input_shape=input_shape,
        assume=assume,
    )
    emit(report.export(done, form_of(form, None), color=wants_color(color, None)), None)
    return 0
