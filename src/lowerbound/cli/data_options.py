"""The options of :func:`lowerbound.data.load`, readable without numpy.

Together the functions have its names and defaults; a test holds them together.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from lowerbound.options import Slot, Span
from lowerbound.slots import SlotValue


def data_options(
    *,
    kind: Literal["auto", "image", "video", "sequence"] = "auto",
    key: str | None = None,
    size: Annotated[int | str | None, Span(min=1, unit="pixels")] = None,
    frames: Annotated[int | None, Span(min=2, unit="frames")] = None,
    test_fraction: Annotated[float, Span(min=0, max=1)] = 0.2,
    validation_fraction: Annotated[float, Span(min=0, max=1)] = 0.0,
    split_seed: Annotated[int, Span(min=0)] = 0,
    skip_bad: bool = False,
    data_dir: str | None = None,
    binarize: Literal["auto", "none", "stochastic", "threshold"] = "auto",
    dequantize: Literal["auto", "none", "uniform"] = "auto",
    standardize: Literal["auto", "yes", "no"] = "auto",
    limit: Annotated[int | None, Span(min=1, unit="examples")] = None,
    memory: Annotated[int | None, Span(min=1, unit="bytes")] = None,
    attributes: tuple[str, ...] | None = None,
    captions: str | None = None,
    caption_encoder: str | None = None,
    pattern: str | None = None,
    labels: str | None = None,
    test_where: str | None = None,
    sample_rate: Annotated[int | None, Span(min=1, unit="samples per second")] = None,
    window: Annotated[float | None, Span(min=0, open=True, unit="seconds")] = None,
    trim: Annotated[float | None, Span(min=0, open=True, unit="dB")] = None,
    time: str | None = None,
) -> dict[str, Any]:
    """How data are found, split and prepared.

    Args:
        kind: video for clips, where arrays (N, F, H, W) or folders of frames could as well be
            images; image to take the first frame of animated GIFs; sequence for arrays (N, T) or
            (N, T, D) of T steps, where NaN is a missing number.
        key: the array of an .npz file, or the column of labels of a table.
        size: height and width to which images are cropped and scaled: 64, or 48x64.
        frames: take the first so many frames of each clip of a folder; by default all.
        test_fraction: share set aside for testing, where the source has no test split.
        validation_fraction: share of the training examples set aside for choices in training.
        split_seed: of the split, which --seed does not change.
        skip_bad: leave out images that do not open and rows with NaN or infinity; they are named.
        data_dir: folder of named data sets; else LOWERBOUND_DATA, else the user's cache.
        binarize: grey values as binary ones: drawn anew each epoch, or cut at one half.
        dequantize: spread levels over their cells, so that they have a density.
        standardize: shift and scale to mean 0 and standard deviation 1.
        limit: use so many examples of each split at most.
        memory: bytes that the data may take before they are read from the disk as they are needed;
            by default a share of what is free.
        attributes: columns of a table that are no features but attributes of each example, which a
            conditional model may be given; an .npz has them in an array of that name.
        captions: a table of sentences beside images: .csv or .tsv with columns file and caption, or
            .jsonl; auto takes captions.csv or .jsonl in the folder, or those of a named data set.
        caption_encoder: folder of a sentence-transformers model on this machine that reads them, in
            place of an encoder that is learned.
        pattern: of the names of sound files, which labels them: {digit}_{speaker}_{index}.
        labels: a table (.csv) that labels sound files; its column file, or its first one, names
            them.
        test_where: which sound files are for testing, by their labels: index<5, or speaker=theo.
        sample_rate: of sound, to which all files are resampled; by default that of most.
        window: seconds of sound in an example; by default as most clips have, up to about one.
        trim: cut the silence before and after each clip of sound, so many dB below its loudest.
        time: of sequences, the column of a table (of an .npz the array) that holds the times of the
            steps, as numbers or as dates by ISO 8601, which are counted in seconds; by default
            they are one apart.
    """
    return dict(locals())


def choice_options(
    *,
    likelihood: Annotated[SlotValue, Slot("likelihood")] = "auto",
    network: Annotated[SlotValue, Slot("network")] = "auto",
) -> dict[str, Any]:
    """What is chosen from the data unless it is named; of a recipe that has them, its slots.

    Args:
        likelihood: p(x|z); auto takes what fits the data's support.
        network: encoder and decoder; auto takes what fits the data's shape.
    """
    return dict(locals())
