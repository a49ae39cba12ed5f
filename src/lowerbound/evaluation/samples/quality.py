"""What is known of a model's samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, NamedTuple

from ...errors import LowerboundError
from ...plain import finite
from ..rows import Row, number, with_error
from .arrays import Array


@dataclass(frozen=True)
class Number:
    """A value with its error, and what real training examples give in the samples' place.

    Attributes:
        value: of the samples.
        standard_error: over the examples; None where it is not known.
        real: of as many real examples (`SampleQuality.floor_count`), or of the reference; None
            where it is not known.
    """

    value: float
    standard_error: float | None = None
    real: float | None = None


@dataclass(frozen=True)
class Copies:
    """Whether samples are copies of training examples; see `Memorization`.

    Attributes:
        close: share nearer to a training example than `quantile` of the held-out ones.
        close_error: its standard error.
        alone: share much nearer to one training example than to the next; the same quantile.
        alone_error: its standard error.
        copies: estimated share of copies.
        z: of the Mann-Whitney test, C_T.
        quantile: that the shares are held against.
        copying: whether the model copies.
        samples: looked at. train, held_out: likewise.
        space: what distances are of, in words.
    """

    close: float
    close_error: float | None
    alone: float
    alone_error: float | None
    copies: float
    z: float
    quantile: float
    copying: bool
    samples: int
    train: int
    held_out: int
    space: str


@dataclass(frozen=True)
class Classes:
    """What the classifier sees in the samples.

    Attributes:
        covered: classes that a sample is of.
        classes: how many there are.
        kl: KL(classes of the samples ‖ classes of the training data), nats.
        sure: share of samples that it gives more than 0.9 to one class.
        real_sure: the same of the reference.
        accuracy: of the classifier on held-out examples.
    """

    covered: int
    classes: int
    kl: float
    sure: float
    real_sure: float
    accuracy: float | None


@dataclass(frozen=True)
class Covered:
    """Modes of data whose modes are known, among the samples and among as many test examples.

    Attributes:
        covered: modes that a sample is of.
        modes: how many there are.
        good: share of the samples that are surely of a mode.
        good_error: its standard error.
        kl: KL(modes of the samples ‖ all alike), nats; None where no sample is of one.
        real_covered: modes that a test example is of.
        real_good: share of the test examples that are surely of a mode.
        how: when a sample is, in words.
    """

    covered: int
    modes: int
    good: float
    good_error: float | None
    kl: float | None
    real_covered: int
    real_good: float
    how: str

    def rows(self, split: str, reference: int) -> list[Row]:
        """For people."""
        real = f"{reference:,} {split} examples"
        kl = "" if self.kl is None else f"; KL to equal shares {number(self.kl)} nats"
        text = f"{real}: {self.real_covered:,}{kl}"
        good = with_error(100 * self.good, _times(100, self.good_error))
        told = f"{self.how}; {real}: {100 * self.real_good:.1f} %"
        return [
            Row("modes covered", f"{self.covered:,}", f"of {self.modes:,}", "", text),
            Row("good samples", good, "%", "", told),
        ]


class Neighbours(NamedTuple):
    """The samples most like copies, beside real examples; as `View` gives them, ``(n, *event)``.

    Attributes:
        samples: the most suspicious first.
        train: the nearest training example of each.
        held_out: the nearest held-out example of each.
        ratio: distance to the nearest over that to the second nearest training example, ``(n,)``.
    """

    samples: Array
    train: Array
    held_out: Array
    ratio: Array


@dataclass(frozen=True)
class SampleQuality:
    """A section of an evaluation: samples against held-out data, under a named feature network.

    Attributes:
        data: what they are called.
        features: name of the feature network.
        features_text: what it is in this case.
        fingerprint: of its weights: numbers of different fingerprints are never comparable.
        dimensions: numbers in its features.
        samples: how many were drawn.
        reference: how many real examples they are held against.
        split: which ones.
        floor_count: training examples that stand in for samples in each `real`.
        drawn: whether samples are means of the likelihood or draws from it.
        fid: Fréchet distance of the features.
        kid: kernel distance, unbiased MMD².
        kid_spread: over disjoint subsets of at most 1,000, as papers print it; None of one.
        precision: share of samples where the data are, k = 3.
        recall: share of the data where samples are, k = 3.
        density: k = 5.
        coverage: k = 5.
        sharpness: variance of the Laplacian, of images.
        copies: None where there are too few held-out examples.
        classes: where the data have labels.
        covered: where the data's modes are known.
        settings: seed, seconds.
        notes: sentences under the rows.
        neighbours: to be drawn; not in JSON.
        split_fingerprint: of the reference split's examples; None of what was measured without it.
    """

    data: str
    features: str
    features_text: str
    fingerprint: str
    dimensions: int
    samples: int
    reference: int
    split: str
    floor_count: int
    drawn: str
    fid: Number
    kid: Number
    kid_spread: float | None
    precision: Number
    recall: Number
    density: Number
    coverage: Number
    sharpness: Number | None = None
    copies: Copies | None = None
    classes: Classes | None = None
    covered: Covered | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    neighbours: Neighbours | None = field(default=None, compare=False, repr=False)
    split_fingerprint: str | None = None

    @property
    def name(self) -> str:
        """By which it is asked for."""
        return "samples"

    def to_json(self) -> dict[str, Any]:
        """Stable keys, JSON's types; a number that is not finite becomes None."""
        content = asdict(replace(self, neighbours=None))
        del content["neighbours"]
        return finite({**content, "notes": list(self.notes)})

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> SampleQuality:
        """What :meth:`to_json` wrote. Keys of later versions are left aside."""
        given = {f.name: content[f.name] for f in fields(cls) if f.name in content}
        for key in ("fid", "kid", "precision", "recall", "density", "coverage", "sharpness"):
            given[key] = None if given.get(key) is None else Number(**_known(Number, given[key]))
        for key, kind in (("copies", Copies), ("classes", Classes), ("covered", Covered)):
            given[key] = None if given.get(key) is None else kind(**_known(kind, given[key]))
        given["notes"] = tuple(given.get("notes", ()))
        return cls(**given)

    def rows(self) -> list[Row]:
        """For people."""
        about = f"{self.samples:,} samples, {self.reference:,} {self.split} examples"
        real = f"{self.floor_count:,} training examples in their place"
        rows = [Row("features", self.features, "", "", self.features_text)]

        def add(quantity: str, found: Number, unit: str, text: str) -> None:
            value = with_error(found.value, found.standard_error)
            if found.real is not None:
                text += f"; {real}: {number(found.real)}"
            rows.append(Row(quantity, value, unit, "estimate", text))

        add("FID", self.fid, self.features, f"{about}; biased upwards, the more the fewer")
        spread = "" if self.kid_spread is None else f"; spread of subsets {number(self.kid_spread)}"
        add("KID", self.kid, self.features, f"unbiased at any count{spread}")
        add("precision", self.precision, "share", "of samples that lie where real examples do")
        add("recall", self.recall, "share", "of real examples where samples lie")
        add("density", self.density, "", "real examples around a sample; 1 of the data's own")
        add("coverage", self.coverage, "share", "of real examples with a sample nearby")
        if self.sharpness is not None:
            text = f"variance of the Laplacian; {self.split} images: {number(self.sharpness.real)}"
            value = with_error(self.sharpness.value, self.sharpness.standard_error)
            rows.append(Row("sharpness", value, "", "", text))
        if self.covered is not None:
            rows += self.covered.rows(self.split, self.reference)
        if self.classes is not None:
            found = self.classes
            text = f"of {found.classes}; KL to the training data's {number(found.kl)} nats"
            rows.append(Row("classes covered", str(found.covered), "", "", text))
            text = f"of samples given more than 0.9 to one class; {self.split}: "
            text += f"{100 * found.real_sure:.1f} %"
            rows.append(Row("surely one class", f"{100 * found.sure:.1f}", "%", "", text))
        if self.copies is not None:
            found = self.copies
            expected = f"; {100 * found.quantile:.2g} % of held-out examples are"
            text = f"of samples much nearer to one training example than to the next{expected}"
            value = with_error(100 * found.alone, _times(100, found.alone_error))
            rows.append(Row("copies", value, "%", "yes" if found.copying else "no", text))
            text = f"of samples nearer to a training example than 1 in {1 / found.quantile:.0f} of "
            text += f"the held-out ones; blur raises it, too; C_T {number(round(found.z, 1))}"
            value = with_error(100 * found.close, _times(100, found.close_error))
            rows.append(Row("close to training", value, "%", "", text))
        return rows


def refuse_mixed(found: list[SampleQuality]) -> None:
    """Refuse to put numbers beside one another that have no common unit.

    Raises:
        LowerboundError: they are of different data, features, counts, splits, or kinds of samples.
    """
    first = found[0]
    for other in found[1:]:
        one, two = first.split_fingerprint, other.split_fingerprint
        known = one is not None and two is not None
        if one != two if known else first.data != other.data:
            came = [
                f"{each.data} ({each.split_fingerprint or 'unknown'})" for each in (first, other)
            ]
            raise LowerboundError(
                f"expected sample quality against the same {first.split} examples, came those of "
                f"{came[0]} and {came[1]}: FID and its like cannot be compared across them; "
                "measure both alike"
            )
        for attribute, what in (
            ("features", "features"),
            ("fingerprint", "feature networks"),
            ("reference", "reference examples"),
            ("samples", "samples"),
            ("split", "splits"),
            ("drawn", "samples"),
        ):
            one, two = getattr(first, attribute), getattr(other, attribute)
            if one != two:
                raise LowerboundError(
                    f"expected sample quality by the same {what}, came {one} and {two}: FID and "
                    "its like cannot be compared across them; measure both alike"
                )


def _times(factor: float, value: float | None) -> float | None:
    return None if value is None else factor * value


def _known(kind: Any, content: Mapping[str, Any]) -> dict[str, Any]:
    return {f.name: content[f.name] for f in fields(kind) if f.name in content}
