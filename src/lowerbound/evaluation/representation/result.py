"""What is known about a representation: a section of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ...plain import finite
from ..rows import Row
from .disentanglement import SCORES

_MEANINGS = {
    "MIG": "gap between the two dimensions that tell most of a factor, in its entropy",
    "DCI disentanglement": "a dimension matters to one factor alone",
    "DCI completeness": "one dimension alone matters to a factor",
    "DCI informativeness": "factors predicted from codes: accuracy, or R² of quantities",
    "SAP": "gap between the two dimensions that predict a factor best",
    "FactorVAE score": "the held factor, told from the dimension that varies least",
    "β-VAE score": "the held factor, told from mean differences by a linear classifier",
    "modularity": "a dimension tells of one factor alone",
    "IRS": "a dimension stays while its factor is held",
}


@dataclass(frozen=True)
class Representation:
    """What :func:`lowerbound.evaluation.representation.measure` returns.

    Attributes:
        examples: held-out examples measured.
        of: how many there are.
        latent_dim: numbers in a code.
        used: dimensions that carry something, ascending; the scores are of these.
        knn: share of the examples whose label is that of most of the 5 nearest training codes.
        probe: share that a logistic regression on the training codes labels rightly.
        fitted: training examples that these two were fitted to.
        nmi: of k-means clusters of the codes and the labels; ari: likewise.
        factors: names of the factors.
        scores: by name, best 1; empty without factors.
        chance: the same with codes shuffled against the factors.
        information: I(z_d; v_f), nats, a row for each dimension in `used`.
        entropies: H(v_f), nats.
        rate_parts: of the rate, nats: mutual_information, total_correlation, dimension_kl, errors,
            codes, examples; None where posteriors are no diagonal normals.
        gaussian_total_correlation: of the posterior means in use, nats, were they normal.
        kl_per_dimension: nats, ``(latent_dim,)``; None where the rate has no such parts.
        notes: what there is to say beside the table.
        settings: seed, bins and the like.
    """

    examples: int
    of: int
    latent_dim: int
    used: list[int]
    knn: float | None = None
    probe: float | None = None
    fitted: int = 0
    nmi: float | None = None
    ari: float | None = None
    factors: list[str] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    chance: dict[str, float] = field(default_factory=dict)
    information: list[list[float]] = field(default_factory=list)
    entropies: list[float] = field(default_factory=list)
    rate_parts: dict[str, Any] | None = None
    gaussian_total_correlation: float | None = None
    kl_per_dimension: list[float] | None = None
    notes: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    name: str = "representation"

    def to_json(self) -> dict[str, Any]:
        """Stable keys, JSON's types; a number that is not finite becomes ``None``."""
        return finite(asdict(self))

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Representation:
        """What :meth:`to_json` wrote. Keys of later versions are left aside."""
        given = {f.name: content[f.name] for f in fields(cls) if f.name in content}
        given["notes"] = tuple(given.get("notes", ()))
        for name in ("scores", "chance"):
            known = given.get(name, {})
            given[name] = {k: math.nan if v is None else v for k, v in known.items()}
        return cls(**given)

    def rows(self) -> list[Row]:
        """The numbers for people."""
        fitted = f"on {self.fitted:,} training codes"
        rows = []
        for name, value, note in (
            ("k-NN accuracy", self.knn, f"5 nearest neighbours, {fitted}, whitened"),
            ("linear probe accuracy", self.probe, f"logistic regression, {fitted}, whitened"),
        ):
            if value is not None:
                rows.append(Row(name, f"{100 * value:.1f}", "%", "", note))
        for name, value in (("NMI", self.nmi), ("ARI", self.ari)):
            if value is not None:
                rows.append(Row(f"clusters, {name}", f"{value:.3f}", "", "", "of the labels"))
        for name in SCORES:
            if name not in self.scores:
                continue
            value, chance = self.scores[name], self.chance.get(name)
            note = _MEANINGS[name]
            if chance is not None and math.isfinite(chance):
                note += f"; by chance {chance:.3f}"
            rows.append(Row(name, f"{value:.3f}" if math.isfinite(value) else "–", "", "", note))
        if self.rate_parts is not None:
            rows += self._rate_rows()
        if self.gaussian_total_correlation is not None:
            value = _nats(self.gaussian_total_correlation)
            note = "of posterior means, from their correlations alone"
            rows.append(Row("total correlation, Gaussian", value, "nats", "", note))
        return rows

    def _rate_rows(self) -> list[Row]:
        assert self.rate_parts is not None
        parts, errors = self.rate_parts, self.rate_parts["errors"]
        known = math.log(parts["examples"])
        near = parts["mutual_information"] > known - 1.0
        least = f"; cannot exceed log {parts['examples']:,} = {known:.2f}" if near else ""
        named = (
            ("I(x; z)", "mutual_information", f"KL(q(z|x) ‖ q(z)){least}"),
            ("total correlation", "total_correlation", "KL(q(z) ‖ Π q(z_d))"),
            ("distance of marginals", "dimension_kl", "Σ KL(q(z_d) ‖ p(z_d))"),
        )
        rows = []
        for (name, key, note), error in zip(named, errors, strict=True):
            value = _nats(parts[key]) + (f" ± {error:.2g}" if error else "")
            rows.append(Row(name, value, "nats", "", f"part of the rate: {note}"))
        return rows


def _nats(value: float) -> str:
    return f"{value:.3f}".replace("-", "−") if math.isfinite(value) else "∞"
