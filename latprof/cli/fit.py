"""``latprof fit``."""

from __future__ import annotations

import json
from dataclasses import asdict

import click


@click.command()
@click.argument("device")
@click.option("--force", is_flag=True, help="Also fit a table of grade F; predictions say so.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def fit(device: str, force: bool, as_json: bool) -> None:
    """Fit the cost model of DEVICE, judge it on networks held out, and save it.

    DEVICE is a device such as host, or one target of it: host/onnxruntime-cpu1-fp32.
    """
    from latprof.costmodel.persistence import save
    from latprof.costmodel.validation import fit_predictor
    from latprof.tables import read_table
    from latprof.units import format_percent as percent

    predictor, accuracy = fit_predictor(read_table(device), force=force)
    path = save(predictor)
    roofline = predictor.model.fitted_.roofline
    if as_json:
        said = {
            "schema": 1,
            "kind": "fit",
            "device": predictor.device,
            "target": predictor.target,
            "accuracy": asdict(accuracy),
            "roofline": roofline.to_dict(),
            "run_ms": predictor.run_ms,
            "factor": predictor.factor,
            "model": str(path),
        }
        click.echo(json.dumps(said, indent=1))
        return
    click.echo(
        f"{predictor.device}/{predictor.target}: {accuracy.kernels} kernels in "
        f"{accuracy.networks} networks"
    )
    click.echo(
        f"  roofline     {roofline.peak_macs_per_ms / 1e6:.1f} GMAC/s, "
        f"{roofline.bandwidth_bytes_per_ms / 1e6:.1f} GB/s, "
        f"{roofline.launch_ms * 1e3:.2f} µs a launch"
    )
    click.echo("  held out     by network, five folds")
    click.echo(
        f"  networks     mean error {percent(accuracy.network_mape)}, median "
        f"{percent(accuracy.network_median)}; {percent(accuracy.within_10)} within ±10 %, "
        f"{percent(accuracy.within_5)} within ±5 %"
    )
    click.echo(
        f"  kernels      mean error {percent(accuracy.kernel_mape)}; weighted by time "
        f"{percent(accuracy.kernel_weighted)}"
    )
    click.echo(f"cost model: {path}")
    click.echo(f"next: latprof predict zoo:mobilenet_v3_large --device {device}")
