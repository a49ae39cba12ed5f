"""What is asked of an evaluation, refused before anything long where it cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .errors import LowerboundError, nearest
from .runs import Run

#: Temperatures, chains and start of annealing where nothing is said.
ANNEALING = {"ais_steps": 1000, "chains": 16, "ais_start": "prior"}


def refuse_annealing(
    ais: bool,
    bracket: bool = False,
    noise_std: float | None = None,
    ais_steps: int = 1000,
    chains: int = 16,
    ais_start: str = "prior",
) -> None:
    """Refuse options of annealing without it: it takes minutes, and is begun by its name alone.

    Raises:
        LowerboundError: one of them was passed.
    """
    if ais:
        return
    given = {"ais_steps": ais_steps, "chains": chains, "ais_start": ais_start}
    alone = [name for name, value in given.items() if value != ANNEALING[name]]
    alone += ["noise_std"] if noise_std is not None else []
    alone += ["bracket"] if bracket else []
    if alone:
        flags = " ".join(f"--{name.replace('_', '-')}" for name in alone)
        raise LowerboundError(
            f"expected --ais beside {flags}, came none: they are of annealed importance sampling, "
            "which takes minutes; pass --ais, and --limit 10 to try it on ten examples"
        )


def refuse_parts(
    run: Run, asked: Sequence[str], features: str = "auto", factors: str | Path | None = None
) -> None:
    """Refuse features and factors that nothing asks for, or that cannot be used.

    Args:
        run: that is evaluated.
        asked: see `lowerbound.measuring.chosen`.
        features: by which samples are compared with data.
        factors: a table that codes are held against.

    Raises:
        LowerboundError: the part that they are of is not asked for; no such table, or one of other
            examples; features that the data or this machine do not have.
    """
    for name, value, part in (
        ("features", None if features == "auto" else features, "samples"),
        ("factors", factors, "representation"),
    ):
        if value is not None and part not in asked:
            metrics = ",".join([*asked, part])
            raise LowerboundError(
                f"expected --metrics {part} beside --{name} {value}, which is of {part} alone, "
                f"came metrics {','.join(asked)}; pass --metrics {metrics}"
            )
    if features != "auto":
        _check_features(run, features)
    if factors is not None:
        from .evaluation.representation.measure import refuse_factors

        refuse_factors(factors, run.data())


def _check_features(run: Run, features: str) -> None:
    from .evaluation.samples.features import FEATURES, inception_weights

    if features not in FEATURES:
        hint = nearest(features, FEATURES) or f"; there are: {', '.join(FEATURES)}"
        raise LowerboundError(f"unknown features '{features}'{hint}")
    if features == "classifier":
        labels = run.data().train.labels
        if labels is None or len(set(labels.tolist())) < 2:
            raise LowerboundError(
                f"expected labels of two classes or more to train a classifier with, came none in "
                f"{run.spec.name}; pass --features pca or pixels"
            )
    if features == "inception":
        inception_weights()
