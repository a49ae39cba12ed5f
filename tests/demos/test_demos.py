"""What each demonstration claims, at a size that takes a second or two."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lowerbound.cli import main
from lowerbound.data.synthetic import markov_chain, noisy_curve
from lowerbound.demos import (
    DEMOS,
    denoiser,
    densities,
    divergences,
    em,
    entropy,
    evidence,
    generation,
    gradients,
    manifolds,
    markov,
    prior_sampling,
    run,
)
from lowerbound.demos.result import Demonstration
from lowerbound.distributions import DiagonalNormal
from lowerbound.errors import LowerboundError


def test_evidence_is_bound_and_gap_at_every_step() -> None:
    found = evidence.alternate(rounds=3, steps=10, examples=50)
    assert found["error"].max() < 1e-10
    steps = np.diff(found["evidence"]), np.diff(found["bound"]), np.diff(found["gap"])
    raised, climbed, widened = steps
    q, p = found["moves"][1:] == 0, found["moves"][1:] == 1
    # q-steps tighten: the evidence stays, the bound rises by what the gap falls.
    assert np.abs(raised[q]).max() == 0 and climbed[q].min() > 0
    np.testing.assert_allclose(climbed[q], -widened[q], atol=1e-10)
    # p-steps raise the bound, and the evidence by what the bound and the gap do together.
    assert climbed[p].min() > 0
    np.testing.assert_allclose(raised[p], climbed[p] + widened[p], atol=1e-10)
    assert widened[p].max() > 0.001  # and may loosen it


def test_the_prior_explains_nothing_in_fifty_dimensions() -> None:
    found = prior_sampling.estimates((1, 10, 50), samples=1000, examples=50)
    few, some, none = found["effective"]
    assert few > 300 and 3 < some < 30 and none < 2
    np.testing.assert_allclose(found["by_posterior"], found["exact"], atol=1e-9)
    error = found["naive"] - found["exact"]
    assert abs(error[0]) < 0.05 and error[2] < -15


def test_gradients_have_one_mean_and_many_variances() -> None:
    exact, found = gradients.compare(3, repeats=4000)
    for measured in found.values():
        assert (np.abs(measured.mean - exact) < 4 * measured.standard_error).all()
    score, baseline = found["score function"], found["score function, baseline"]
    assert score.variance > 3 * baseline.variance > 9 * found["reparameterized"].variance


def test_without_entropy_a_spread_falls_and_with_it_finds_the_posterior() -> None:
    found = entropy.descend(1.0, steps=400)
    mean, sigma = found.posterior
    assert (mean, sigma) == (pytest.approx(1.6), pytest.approx(0.2**0.5))
    assert found.sigma[-1] == pytest.approx(sigma, rel=0.05)
    assert found.loc[-1] == pytest.approx(mean, abs=0.03)
    bare = entropy.descend(0.0, steps=400)
    assert bare.sigma[-1] < 0.25 * sigma and bare.loc[-1] == pytest.approx(mean, abs=0.01)
    assert (np.diff(bare.sigma) < 0).all()


def test_divergences_differ_and_so_do_their_fits() -> None:
    pair = divergences.normals()
    assert pair["forward"] == pytest.approx(np.log(2) + 2 / 8 - 0.5, abs=1e-12)
    assert pair["reverse"] == pytest.approx(-np.log(2) + 5 / 2 - 0.5, abs=1e-12)
    for name in ("forward", "reverse"):
        assert pair[f"{name}_by_quadrature"] == pytest.approx(pair[name], abs=1e-8)
    p, x = divergences.two_modes(), divergences.grid()
    log_p = p.log_prob(x[:, None])
    cover, left = divergences.covering(p), divergences.seeking(p, -2.0)
    assert cover[1] > 2 and left == (pytest.approx(-2, abs=0.05), pytest.approx(0.7, abs=0.05))

    def each(q: tuple[float, float]) -> tuple[float, float]:
        log_q = divergences.log_normal(x, *q)
        return divergences.divergence(log_p, log_q, x), divergences.divergence(log_q, log_p, x)

    # Each is the minimum of its own divergence, and nothing near it is less.
    for place, best in ((0, cover), (1, left)):
        for moved in ((0.02, 0.0), (-0.02, 0.0), (0.0, 0.02), (0.0, -0.02)):
            assert each((best[0] + moved[0], best[1] + moved[1]))[place] > each(best)[place]
    assert each(cover)[0] < each(left)[0] and each(cover)[1] > each(left)[1]


def test_the_density_is_one_and_its_quadrature_right() -> None:
    """Piece by piece: a rule across the jumps has p's mass as 1.002."""
    log_p = densities.log_density(densities.grid())
    assert densities.integral(np.exp(log_p)) == pytest.approx(1, abs=1e-9)
    by_hand = 0.25 * np.log(0.25 / 1.5) + 0.15 * np.log(0.5) + 0.6 * (np.log(0.6) - 1)
    assert densities.exact() == pytest.approx(by_hand, abs=1e-12)
    assert densities.exact() == pytest.approx(-1.45841, abs=5e-6)
    assert densities.expected(log_p) == pytest.approx(densities.exact(), abs=1e-9)
    drawn = densities.draw(100_000, 0)[:, 0]
    assert densities.log_density(drawn).mean() == pytest.approx(densities.exact(), abs=0.02)


def test_a_mixture_beats_a_gaussian_and_a_continuous_latent_is_a_density() -> None:
    found = densities.fitted(examples=2000, steps=250, components=(3,))
    values = {name: densities.expected(log_q) for name, log_q in found.items()}
    assert values["one Gaussian"] < values["mixture of 3, EM"] < -1.45841
    assert values["one Gaussian"] < values["continuous latent, IWAE-50"] < -1.45841
    for log_q in found.values():
        assert densities.integral(np.exp(log_q)) == pytest.approx(1, abs=1e-3)


def test_the_integral_over_the_code_is_exact() -> None:
    """Of a linear decoder: x = 2 z + 1 + noise of σ = 0.5 is N(1, 4.25)."""

    class Linear:
        def decode(self, z: torch.Tensor) -> DiagonalNormal:
            return DiagonalNormal(2 * z + 1, torch.full_like(z, 0.5).log())

    x = np.linspace(-4, 6, 21)
    found = densities.log_marginal(Linear(), x)
    np.testing.assert_allclose(found, divergences.log_normal(x, 1.0, 4.25**0.5), atol=1e-5)


def test_training_finds_the_posterior_mean() -> None:
    for noise in (0.5, 2.0):
        found = denoiser.denoise(noise, steps=400)
        assert 1 <= found.trained / found.optimal < 1.005
        np.testing.assert_allclose(found.gains, found.optimal_gains, atol=0.03)
    # The closed form, by the law of total variance: Σ λ σ² / (λ + σ²).
    variances = np.array(denoiser.VARIANCES)
    assert found.optimal == pytest.approx((4 * variances / (variances + 4)).sum())


def test_a_curve_bends_where_pca_has_a_line() -> None:
    learn, held_out = noisy_curve(1000, seed=0), noisy_curve(500, seed=1)
    line = manifolds.reconstruct("pca", learn, held_out, 1)
    bent = manifolds.reconstruct("autoencoder", learn, held_out, 1, steps=600, hidden=(64, 64))
    # What a line cannot keep is the smaller eigenvalue of the covariance.
    assert line.error == pytest.approx(np.linalg.eigvalsh(np.cov(held_out.x.T))[0], rel=0.03)
    assert np.linalg.matrix_rank(line.x - line.x.mean(0), tol=1e-3) == 1
    assert bent.error < 0.15 * line.error and bent.from_clean < 0.15 * line.from_clean


def test_masked_tokens_recover_the_conditionals() -> None:
    found = markov.recover(steps=250, examples=4000, held_out=200, length=6)
    model, chain, alone = found.surprise
    assert found.divergence.mean() < 0.05 and model - chain < 0.3 * (alone - chain)
    np.testing.assert_allclose(found.found.sum(-1), 1, atol=1e-5)


def test_conditionals_are_those_of_the_joint() -> None:
    """p(x_t | all others) by enumeration; a model that knows them has no divergence."""
    chain = markov_chain(3, sharpness=1.0, seed=4)
    tokens = chain.sample(50, 5, seed=5)

    class Oracle:
        mask = 3

        def predict(self, hidden: torch.Tensor) -> torch.Tensor:
            place = int((hidden[0] == self.mask).nonzero()[0, 0])
            filled = [hidden.numpy().copy() for _ in range(3)]
            for level, each in enumerate(filled):
                each[:, place] = level
            joint = np.stack([chain.log_prob(each) for each in filled], -1)
            whole = np.zeros((len(hidden), hidden.shape[1], 3))
            whole[:, place] = joint
            return torch.from_numpy(whole).log_softmax(-1)

    found = markov.compare(Oracle(), chain, tokens)
    np.testing.assert_allclose(found.found, found.exact, atol=1e-12)
    assert np.abs(found.divergence).max() < 1e-12 and found.surprise[0] < found.surprise[2]


def test_the_verb_lists_runs_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in DEMOS)
    assert main(["demo", "divergences", "--out", str(tmp_path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["numbers"]["forward"] == pytest.approx(0.443147, abs=1e-6)
    page = (tmp_path / "divergences.md").read_text(encoding="utf-8")
    assert "![KL(p‖q) is not KL(q‖p)](divergences.png)" in page
    assert "Made by `lowerbound demo divergences`" in page
    assert (tmp_path / "divergences.png").read_bytes().startswith(b"\x89PNG")
    assert page.count("\n| ") == len(report["rows"]) + 2


def test_a_misspelt_demo_is_offered_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "evidenze"]) == 2
    assert "unknown demo 'evidenze'; did you mean 'evidence'?" in capsys.readouterr().err
    with pytest.raises(LowerboundError, match="unknown demo 'xyz'; there are: evidence, "):
        run("xyz")


def test_demonstrations_draw_what_they_say() -> None:
    found = run("evidence", seed=1)
    assert isinstance(found, Demonstration) and found.numbers["largest_error"] < 1e-6
    assert all(len(row) == len(found.header) for row in found.rows)
    for axes in found.figure.axes:
        assert axes.get_xlabel() and axes.get_ylabel()


def test_em_never_falls_and_finds_the_normals() -> None:
    x = em.points()
    found = list(em.fits(x, 3))
    assert np.diff([fit.log_likelihood for fit in found]).min() > -1e-12
    order = np.argsort(found[-1].means[:, 0])
    true = np.array([[-2.0, 0.0], [1.0, 1.2], [1.5, -1.2]])
    assert np.abs(found[-1].means[order] - true[np.argsort(true[:, 0])]).max() < 0.3
    assert np.abs(found[-1].weights[order] * 600 - [200, 250, 150]).max() < 40


def test_the_frechet_distance_of_two_normals() -> None:
    """Of scaled copies: ‖(1 − s) σ‖² summed over dimensions."""
    x = torch.randn(4000, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = x - x.mean(0)
    assert generation.frechet(x, x) == pytest.approx(0.0, abs=1e-6)
    expected = 4.0 * float(x.var(0).sum())
    assert generation.frechet(x, 3.0 * x) == pytest.approx(expected, rel=1e-6)


def test_a_mixture_of_all_principal_components_is_one_of_pixels() -> None:
    """The space alone decides: with nothing left out, both draw from the same density."""
    random = torch.Generator().manual_seed(1)
    x = (0.5 + 0.1 * torch.randn(400, 64, generator=random)).clamp(0, 1)
    for space in ("pixels", "PCA codes"):
        made = generation.generate(space, x, latent=64, components=1, count=4000)
        torch.testing.assert_close(made.mean(0), x.mean(0), rtol=0, atol=0.01)
        torch.testing.assert_close(made.std(0), x.std(0, correction=0), rtol=0.1, atol=0)
