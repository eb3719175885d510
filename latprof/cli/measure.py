"""``latprof measure``."""

from __future__ import annotations

import click

from latprof.cli.options import DURATION, running_options


@click.command()
@running_options
@click.option(
    "--time",
    "seconds",
    type=DURATION,
    default="3min",
    show_default=True,
    metavar="TIME",
    help="How long to measure in all, before and after a --resume.",
)
@click.option("--visits", type=click.IntRange(min=1), default=None, show_default="3",
              metavar="N", help="How often to measure each network: more make the times surer, and "
              "the networks fewer.")  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with a measurement that was interrupted.")
@click.option("--seed", type=click.IntRange(min=0), default=None, show_default="0",
              help="Which random networks to draw.")  # fmt: skip
def measure(
    runtime: str,
    threads: int,
    dtype: str,
    seconds: float,
    visits: int | None,
    resume: bool,
    seed: int | None,
) -> None:
    """Build this machine's table of kernels.

    Random small networks of the blocks that light networks use are profiled kernel by kernel,
    in context. Every network is on the disk once it is measured: after Ctrl-C or a crash,
    --resume goes on.
    """
    from latprof.cli.progress import SweepProgress
    from latprof.measurement.sweep import sweep
    from latprof.profiling import target_of
    from latprof.tables import HOST, read_facts

    target = target_of(runtime, threads=threads, dtype=dtype)
    with SweepProgress(f"measuring {HOST}/{target.name}") as shown:
        try:
            path, progress = sweep(
                target,
                seconds=seconds,
                seed=seed,
                times=visits,
                resume=resume,
                report=shown.update,
            )
        except KeyboardInterrupt:
            click.echo(
                "\ninterrupted; what was measured is kept. Go on with --resume, or fit what "
                "there is.",
                err=True,
            )
            raise
    click.echo(
        f"{progress.kernels} kernels in {progress.networks} networks, "
        f"{progress.seconds_used:.0f} s of measuring"
        + (f"; {progress.failures} networks failed" if progress.failures else "")
    )
    facts = read_facts(HOST)["targets"][target.name]
    click.echo(f"grade {facts['grade']}" + "".join(f"\n  {r}" for r in facts["grade_reasons"]))
    click.echo(f"table: {path}")
    click.echo(f"next: latprof fit {HOST}/{target.name}")
