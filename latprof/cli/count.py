"""``latprof count``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from latprof.cli.options import (
    FIGURE,
    answer_options,
    capture_model,
    given_arch,
    model_options,
    typed_command,
)

if TYPE_CHECKING:
    from latprof.graph import Graph


@click.command()
@click.argument("model")
@click.option("--depth", type=click.IntRange(0, 32), default=1, show_default=True, metavar="D",
              help="How deep to show the tree of modules.")  # fmt: skip
@click.option("--convention", default="", metavar="NAME",
              help="Show one convention term by term: fvcore, torch, thop, ...")  # fmt: skip
@click.option("--explain", "figure", type=FIGURE, metavar="0.39G",
              help="Say how our count becomes a figure that somebody quoted.")  # fmt: skip
@click.option("--sparsity", is_flag=True, help="Read the weights, and count their zeros.")
@model_options
@answer_options
def count(
    model: str,
    depth: int,
    convention: str,
    figure: Any,
    sparsity: bool,
    inputs: Any,
    batch: int | None,
    trust: bool,
    **shown: Any,
) -> None:
    """Count the parameters, arithmetic and memory of MODEL.

    MACs are multiply-accumulates of convolutions, linear layers, products and attention; FLOPs
    are twice that. What other tools and papers would say stands beside it.
    """
    from latprof.account import account
    from latprof.cli.showing import show
    from latprof.counting.conventions import find_convention
    from latprof.frontends import read
    from latprof.frontends.resizing import at_image_size

    if convention:
        find_convention(convention)  # cheap checks first: capturing a model takes seconds
    zeros = None
    if sparsity:
        from latprof.frontends.zeros.reader import read_zeros

        zeros = read_zeros(model, trust=trust)
    graph = capture_model(model, inputs, batch, trust)
    arch = given_arch()

    def recapture(size: int) -> Graph | None:
        click.echo(f"capturing it at {size}×{size} too", err=True)
        # Not kept as the model captured last: it is not the one that was asked for.
        return at_image_size(
            graph, size, lambda spec: read(model, inputs=(spec,), trust=trust, arch=arch)
        )

    answer = account(
        graph,
        depth=depth,
        convention=convention,
        explain_figure=figure or "",
        recapture=recapture,
        zeros=zeros,
        command=typed_command(),
    )
    show(answer, name=f"{graph.name}-count", **shown)
