"""The options of a training run: one typed signature for Python, command line and run folder.

No torch here: the command line reads this file to answer ``--help``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from lowerbound.errors import LowerboundError
from lowerbound.options import Span, check, options_of

DEFAULT_EPOCHS, DEFAULT_STEPS = 20, 1000


#: Examples per step where nothing else is said; a window of sound is thousands of tokens.
BATCH, BATCH_OF_SOUND = 128, 8


def training_options(
    *,
    epochs: Annotated[float | None, Span(min=0, open=True, unit="passes over the data")] = None,
    steps: Annotated[int | None, Span(min=1, unit="steps")] = None,
    minutes: Annotated[float | None, Span(min=0, open=True, unit="min")] = None,
    batch_size: Annotated[int | None, Span(min=1, unit="examples")] = None,
    learning_rate: Annotated[float, Span(min=0, open=True)] = 1e-3,
    schedule: Literal["cosine", "constant", "staircase"] = "cosine",
    warmup: Annotated[int, Span(min=0, unit="steps")] = 0,
    optimizer: Literal["adam", "adamw"] = "adam",
    beta1: Annotated[float, Span(min=0, max=1)] = 0.9,
    beta2: Annotated[float, Span(min=0, max=1)] = 0.999,
    epsilon: Annotated[float, Span(min=0, open=True)] = 1e-8,
    weight_decay: Annotated[float, Span(min=0)] = 0.0,
    clip: Annotated[float | None, Span(min=0, open=True, unit="gradient norm")] = None,
    ema: Annotated[float, Span(min=0, max=1)] = 0.0,
    patience: Annotated[int | None, Span(min=1, unit="held-out reports")] = None,
    accumulate: Annotated[int, Span(min=1, unit="microbatches")] = 1,
    seed: Annotated[int, Span(min=0)] = 0,
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    devices: Annotated[int, Span(min=1, unit="processes")] = 1,
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
    compile: Literal["auto", "yes", "no"] = "auto",
    threads: Annotated[int | None, Span(min=1, unit="CPU threads")] = None,
    held_out_every: Annotated[float, Span(min=0, open=True, unit="epochs")] = 1.0,
    checkpoint_minutes: Annotated[float, Span(min=0, unit="min")] = 2.0,
    tensorboard: Literal["auto", "yes", "no"] = "auto",
) -> dict[str, Any]:
    """How a model is trained.

    Args:
        epochs: stop after so many passes over the training data; without a word on the length, it
            is 20, and at least 1,000 steps.
        steps: stop after so many optimizer steps.
        minutes: stop after so much time in training; the schedule follows the clock.
        batch_size: examples per optimizer step, over all processes together; by default 128, of
            sound 8.
        learning_rate: peak learning rate.
        schedule: cosine to zero over the run, constant, or the staircase of Burda et al. 2016,
            lr * 10^(-i/7) for 3^i parts of the run, i = 0..7.
        warmup: steps of linear warm-up from zero.
        optimizer: adam (Kingma & Ba 2015) or adamw (decoupled weight decay).
        beta1: decay of Adam's first moment.
        beta2: decay of Adam's second moment.
        epsilon: Adam's epsilon, added to the root of the second moment.
        weight_decay: decay of weights, decoupled (adamw) or added to the gradient (adam).
        clip: scale gradients whose norm over a phase's parameters is larger.
        ema: decay of an exponential moving average of the weights, which is then what the run
            evaluates and ships; 0 is off. Before 10 / (1 - ema) steps it is of about the
            last tenth of the run so far, whatever the decay.
        patience: stop when the held-out bound has not improved for so many reports; needs a
            validation split, so that the test data stay unseen.
        accumulate: microbatches per step and process; their gradients are averaged.
        seed: of the initial weights, the order of the data and all noise.
        accelerator: where to train; auto takes a GPU if there is one.
        devices: processes, one per device; they share each batch equally.
        precision: of the networks' products; weights, bounds and evaluation stay in float32. auto
            is bfloat16 where the hardware has it natively.
        compile: compile the training step; auto does where it pays back within the run.
        threads: CPU threads; the default is what torch finds.
        held_out_every: epochs between two reports on held-out data, of which there are 200 in a run
            at most.
        checkpoint_minutes: minutes between two checkpoints; 0: one at every held-out report.
        tensorboard: also write TensorBoard's event files; auto does if it is installed.

    Returns:
        The options, checked, by name.
    """
    return dict(locals())


def batch_size(options: Mapping[str, Any], examples: int) -> int:
    """Examples per step: as asked, but no more than there are, and the same for each microbatch.

    Raises:
        LowerboundError: not one for each.
    """
    shards = options["devices"] * options["accumulate"]
    wanted = min(options["batch_size"] or BATCH, examples)
    if wanted < shards:
        raise LowerboundError(
            f"expected a batch of at least {shards} examples, one per process and microbatch, came "
            f"{wanted} of {examples} examples; pass a larger --batch-size, or fewer --devices or "
            "--accumulate"
        )
    return wanted - wanted % shards


def refuse_unfit(options: Mapping[str, Any], examples: int, validation: int | None) -> None:
    """Refuse options that cannot be with so many examples.

    Args:
        options: resolved.
        examples: that train.
        validation: held-out examples for choices in training; None if there are none.

    Raises:
        LowerboundError: early stopping without a validation split, too small a batch.
    """
    batch_size(options, examples)
    if options["patience"] is not None and not validation:
        raise LowerboundError(
            f"--patience {options['patience']}: expected a validation split, so that the test data "
            "stay unseen, came none; pass --validation-fraction 0.1"
        )


def resolve(given: Mapping[str, Any]) -> dict[str, Any]:
    """The full set of training options, checked, defaults filled in.

    Raises:
        LowerboundError: an unknown name (the nearest is offered), type or value out of range.
    """
    options = {name: option.default for name, option in options_of(training_options).items()}
    options.update(check(training_options, given))
    return options


def total_steps(options: Mapping[str, Any], steps_per_epoch: float) -> int | None:
    """Steps of the run; None if only the clock ends it.

    Nobody who says nothing means the few steps that 20 passes over a hundred examples are.

    >>> total_steps(resolve({}), 500.0), total_steps(resolve({}), 1.5)
    (10000, 1000)
    """
    limits = []
    if options["steps"] is not None:
        limits.append(options["steps"])
    if options["epochs"] is not None:
        limits.append(max(1, round(options["epochs"] * steps_per_epoch)))
    if not limits and options["minutes"] is None:
        limits.append(max(DEFAULT_STEPS, round(DEFAULT_EPOCHS * steps_per_epoch)))
    return min(limits) if limits else None
