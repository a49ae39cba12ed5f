"""Data to codes to bits, and back, by a trained run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lowerbound.codec import file, priors
from lowerbound.codec.examples import examples
from lowerbound.codec.models import Coded, coded
from lowerbound.codec.stream import Decoder, Encoder
from lowerbound.conditioning import side_given
from lowerbound.data import Prepare
from lowerbound.errors import LowerboundError
from lowerbound.runs import Run
from lowerbound.training.checkpoint import write_whole

BATCH = 64
_MOST, _NUMBERS = 1024, 1 << 14
Follow = Callable[[int, int], None]


@dataclass(frozen=True)
class Codes:
    """Codes of data, coded.

    Attributes:
        indices: the codes, int64 ``(N, *latent_shape)``.
        about: what a file of them says of itself.
        words: the bits, uint32.
        side: labels of conditional runs, or what else the codes are conditioned on, ``(N, ...)``.
        rates: −log2 p(codes) of each example under the model's prior, float64 ``(N,)``.
    """

    indices: np.ndarray
    about: file.About
    words: np.ndarray = field(repr=False)
    side: np.ndarray | None = field(default=None, repr=False)
    rates: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False)

    @property
    def rate(self) -> float:
        """−log2 p(codes) under the model's prior, bits per example."""
        return self.about.rate

    @property
    def coded(self) -> float:
        """What the coder wrote, bits per example."""
        return 32.0 * len(self.words) / self.about.examples

    def content(self) -> bytes:
        """The content of a file of them."""
        return file.pack(self.about, self.words, self.side)

    def write(self, path: str | Path) -> Path:
        """Write them as .npz (their bits), or as .npy (the codes as whole numbers).

        Raises:
            LowerboundError: the name ends in something else, or the file cannot be written.
        """
        path = Path(path)
        try:
            if path.suffix == ".npz":
                content = self.content()
            elif path.suffix == ".npy":
                import io

                buffer = io.BytesIO()
                np.save(buffer, self.indices, allow_pickle=False)
                content = buffer.getvalue()
            else:
                raise LowerboundError(
                    f"expected a name that ends in .npz or .npy, came '{path.name}'"
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
        except OSError as error:
            raise LowerboundError(f"cannot write {path}: {error.strerror}") from None
        return path


def encode(
    run: str | Path | Run,
    data: Any,
    *,
    split: str = "all",
    given: Any = None,
    limit: int | None = None,
    progress: Follow | None = None,
) -> Codes:
    """Data to codes, and codes to as many bits as the model's prior gives them.

    Args:
        run: a run or its folder: of a vq-vae, with any prior, or of an autoregressive model
            (pixelcnn, transformer, wavenet), by which the data themselves are coded, without loss.
        data: what `load` takes, or one example: an image file or an array ``event_shape``.
        split: ``all`` examples in the order they came in, or ``train``, ``validation``, ``test``.
        given: of a conditional run, the condition of all of them, as `lowerbound.sample` takes it;
            None takes each example's own.
        limit: the first so many examples.
        progress: called with (examples done, examples in all).

    Returns:
        The codes and their bits; ``write("codes.npz")`` keeps them.

    Raises:
        LowerboundError: the run has no codes that are whole numbers, or the data do not fit it.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    model = coded(run)
    found = examples(run, data, split, limit)
    count = len(found)
    side = _side(run, found, given)
    if progress is not None:
        progress(0, count)
    values, at = [], 0
    for x in found.prepared(run.spec):
        context = model.context(x, _rows(side, at, at + len(x)))
        values.append(_in_parts(model.codes, x, *context))
        at += len(x)
    indices = torch.cat(values)
    encoder = Encoder()
    rates, uniform = [], 0.0
    batch = _batch(math.prod(indices.shape[1:]))
    with priors.exactly(run.model, _threads(run)) as precise:
        for start in range(0, count, batch):
            part = indices[start : start + batch]
            p = model.prior(precise, len(part), _rows(side, start, start + len(part)))
            rate, uniform = priors.write(encoder, p, part)
            rates.append(rate)
            if progress is not None:
                progress(start + len(part), count)
    each = np.concatenate(rates)
    whole = model.indices(indices)
    about = file.About(
        run=run.name,
        model=file.fingerprint(run.model),
        examples=count,
        event_shape=tuple(whole.shape[1:]),
        batch=batch,
        rate=float(each.mean()),
        uniform=uniform,
        check=file.check(whole),
        versions=_versions(),
    )
    return Codes(whole, about, encoder.words(), None if side is None else side.numpy(), each)


def decode(
    run: str | Path | Run, codes: Any, *, given: Any = None, progress: Follow | None = None
) -> np.ndarray:
    """Codes to data: the likelihood's mean at each code; of a model of the data, these themselves.

    Of a decoder that draws one number after the other (a WaveNet) it is a draw, always the same.

    Args:
        run: the run that made the codes, or its folder.
        codes: a file of them (.npz of their bits, .npy of whole numbers), `Codes`, or whole numbers
            ``(N, *latent_shape)``.
        given: of a conditional run, the condition of codes that come as whole numbers.
        progress: called with (examples done, examples in all).

    Returns:
        ``(N, *event_shape)`` in the units of the data.

    Raises:
        LowerboundError: the codes are of another model, cut short, or outside the codebook.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    model = coded(run)
    whole, side = _whole(run, model, codes, given, progress)
    values = model.value(torch.from_numpy(whole))
    decoded = []
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for start in range(0, len(values), BATCH):
            part = values[start : start + BATCH]
            beside = _rows(side, start, start + len(part))
            decoded.append(model.decoded(part, beside))
    x = torch.cat(decoded)
    prepare = Prepare(run.spec)
    return (prepare.restore(x) if model.lossless else prepare.expected(x)).numpy()


def _whole(
    run: Run, model: Coded, codes: Any, given: Any, progress: Follow | None
) -> tuple[np.ndarray, Tensor | None]:
    """The codes as whole numbers, ``(N, *latent_shape)``, and what they are conditioned on."""
    if isinstance(codes, str | Path) and Path(codes).suffix == ".npy":
        try:
            codes = np.load(Path(codes).expanduser(), allow_pickle=False)
        except FileNotFoundError:
            raise LowerboundError(
                f"expected a file of codes, came {codes}: there is none"
            ) from None
        except (OSError, ValueError, EOFError):
            raise LowerboundError(f"{codes} does not open as .npy: write it again") from None
    if isinstance(codes, str | Path):
        path = Path(codes).expanduser()
        about, words, beside = file.unpack(path)
        _refuse_other(run, about, path.name)
        side = None if beside is None else _as_side(beside)
        return _read(run, model, about, words, side, progress), side
    if isinstance(codes, Codes):
        _refuse_other(run, codes.about, "the codes")
        codes, given = codes.indices, codes.side if given is None else given
        side = None if given is None else _as_side(given)
        return codes, side
    array = np.asarray(codes)
    model.refuse_outside(array)
    return array.astype(np.int64), side_given(run, given, len(array))


def _read(
    run: Run, model: Coded, about: file.About, words: np.ndarray, side: Any, progress: Any
) -> np.ndarray:
    decoder = Decoder(words)
    values = []
    with priors.exactly(run.model, _threads(run)) as precise:
        for start in range(0, about.examples, about.batch):
            count = min(about.batch, about.examples - start)
            p = model.prior(precise, count, _rows(side, start, start + count))
            values.append(priors.read(decoder, p, count))
            if progress is not None:
                progress(start + count, about.examples)
    whole = model.indices(torch.cat(values))
    if file.check(whole) != about.check:
        here = _versions()
        differ = "" if here == about.versions else (
            f" (coded with {_listed(about.versions)}, this is {_listed(here)})"
        )  # fmt: skip
        raise LowerboundError(
            "expected the codes that were encoded, came others: the file is damaged, or this "
            f"machine computes the prior's probabilities otherwise{differ}; encode the data again"
        )
    return whole


def _refuse_other(run: Run, about: file.About, name: str) -> None:
    here = file.fingerprint(run.model)
    if about.model != here:
        raise LowerboundError(
            f"expected codes of {run.path} ({run.name}, model {here}), came {name} of another "
            f"model ({about.run}, model {about.model}): decode them with the run that encoded them"
        )


def _side(run: Run, found: Any, given: Any) -> Tensor | None:
    """What the codes of each example are conditioned on, ``(N, ...)``; None of nothing."""
    condition = getattr(run.model, "condition", None)
    if condition is None:
        return side_given(run, given, len(found))
    if condition.of_x or condition.side == "position":
        raise LowerboundError(
            f"expected a run conditioned on labels or on nothing, came {run.path}, which is "
            f"conditioned on {condition.describe()}, and a decoder has not got that"
        )
    if given is not None:
        return side_given(run, given, len(found))
    named = f"name one condition of all of them: --given {condition.example()}"
    return found.side(condition.side, named)


def _rows(side: Tensor | None, start: int, stop: int) -> Tensor | None:
    return None if side is None else side[start:stop]


def _as_side(beside: Any) -> Tensor:
    found = torch.as_tensor(np.asarray(beside))
    return found if found.is_floating_point() else found.long()


def _in_parts(function: Callable[..., Tensor], x: Tensor, *context: Tensor) -> Tensor:
    rows = zip(x.split(BATCH), *(c.split(BATCH) for c in context), strict=True)
    return torch.cat([function(*each) for each in rows])


def _batch(length: int) -> int:
    """Examples that are coded together: a network's memories of all of them have to fit.

    >>> _batch(4), _batch(49), _batch(1000)
    (1024, 334, 64)
    """
    return max(BATCH, min(_MOST, _NUMBERS // length))


def _threads(run: Run) -> int | None:
    """Those that training was fastest with: steps are small, and threads wait for one another."""
    return (run.info.get("resolved") or {}).get("threads")


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("torch", "constriction")}


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())
