"""The verbs ``embed`` and ``denoise``: see :mod:`lowerbound.cli.verbs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lowerbound.errors import LowerboundError
from lowerbound.options import Span

if TYPE_CHECKING:
    from lowerbound.embedding import Embedding


def embed(
    data: str,
    /,
    *,
    methods: tuple[str, ...] | None = None,
    latent_dim: Annotated[int, Span(min=1, unit="dimensions")] = 2,
    seeds: Annotated[int, Span(min=1, unit="trainings")] = 1,
    neighbours: Annotated[int, Span(min=1)] = 5,
    out: str | None = None,
    json: bool = False,
    **options: Any,
) -> None:
    """Draw maps of data by several methods side by side, and measure each on held-out examples.

    Codes are whitened before they are scored, for those of an autoencoder have no scale.

    Args:
        methods: pca, lda, and names of recipes that encode; the default is pca,lda,autoencoder,vae,
            without lda where there are no labels.
        latent_dim: numbers in a code.
        seeds: how many times what is trained is trained.
        neighbours: k of the k nearest neighbours and of trustworthiness.
        out: picture to write, .png; by default DATA-maps.png, DATA being what the data are called.
        json: print the report as JSON.
    """
    if out is not None and Path(out).suffix != ".png":
        raise LowerboundError(f"expected a name that ends in .png, came '{Path(out).name}'")
    from lowerbound import console, embedding

    found = embedding.embed(
        data,
        methods,
        latent_dim=latent_dim,
        seeds=seeds,
        neighbours=neighbours,
        progress=lambda text: console.note(f"  {text}"),
        **options,
    )
    path = embedding.draw(found, out or f"{found.data}-maps.png")
    if json:
        console.emit({**found.to_json(), "out": str(path)})
        return
    _table(found)
    console.line(str(path))


def denoise(
    run: str,
    example: str | None = None,
    /,
    *,
    n: Annotated[int, Span(min=1, unit="examples")] = 10,
    out: str | None = None,
    seed: Annotated[int, Span(min=0)] = 0,
    json: bool = False,
) -> None:
    """Take the noise out of an image, or show on held-out examples what the model can do.

    Without a file, held-out examples are corrupted as in training and drawn beside what the model
    makes of them.

    Args:
        n: how many held-out examples.
        out: file to write, .png or .npy; the default is denoised.png (denoised.npy for data that
            are no images) among the run's pictures.
        seed: of the choice of examples and of their corruption.
        json: print the report as JSON.
    """
    if out is not None and Path(out).suffix not in (".png", ".npy"):
        raise LowerboundError(f"expected a name that ends in .png or .npy, came '{Path(out).name}'")
    from lowerbound import console, denoising
    from lowerbound.runs import Run

    opened = Run.open(run)
    if example is None:
        found = denoising.held_out_denoised(opened, n, seed=seed)
        path = denoising.write_triples(out or opened.pictures / "denoised.png", opened, *found)
    else:
        name = "denoised.png" if opened.spec.kind == "image" else "denoised.npy"
        clean = denoising.denoise(opened, example)
        path, n = denoising.write(out or opened.pictures / name, opened, clean), len(clean)
    if json:
        console.emit({"format": 1, "out": str(path), "n": n, "seed": seed})
    else:
        console.line(str(path))


def _table(found: Embedding) -> None:
    from rich import box
    from rich.table import Table

    from lowerbound import console

    rows = found.rows()
    table = Table(
        title=f"{found.data}: codes of {found.settings['latent_dim']} numbers, held-out examples",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE,
    )
    table.add_column("method", no_wrap=True)
    for name in ("k-NN accuracy", "linear probe", "trustworthiness", "squared error"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        cells = [_cell(row.knn, 100, 1, " %"), _cell(row.probe, 100, 1, " %")]
        cells += [_cell(row.trustworthiness, 1, 3), _cell(row.squared_error, 1, 2)]
        table.add_row(row.method, *cells)
    console.out().print(table)
    for text in found.notes:
        console.note(text)


def _cell(value: tuple[float, float | None] | None, times: float, digits: int, unit: str = ""):
    """Mean ± standard deviation over seeds.

    >>> _cell((0.5, 0.01), 100, 1, " %"), _cell(None, 1, 1)
    ('50.0 ± 1.0 %', '–')
    """
    if value is None:
        return "–"
    mean, spread = value
    more = "" if spread is None else f" ± {times * spread:.{digits}f}"
    return f"{times * mean:.{digits}f}{more}{unit}"
