"""Attributes far from zero: what is measured of them is what is measured of standardized ones."""

from __future__ import annotations

import copy

import numpy as np
import torch

from lowerbound.data import load
from lowerbound.evaluation import encode_all, estimate_log_likelihood
from lowerbound.evaluation.decoding import batch
from lowerbound.latent import space_of
from lowerbound.models.conditions import Standardize
from lowerbound.recipes import RECIPES

STAMP = 1.7e9


def test_time_stamps_keep_their_digits() -> None:
    random = np.random.default_rng(0)
    time = STAMP + 100.0 * random.normal(size=(50, 1))
    data = load({"train": random.normal(size=(50, 3)), "attributes": time})
    torch.manual_seed(0)
    model, _ = RECIPES["cvae"](data.spec, latent_dim=2, hidden=(8,), given="attributes")
    assert data.spec.attribute_mean and data.spec.attribute_std
    (mean,), (std,) = data.spec.attribute_mean, data.spec.attribute_std
    x = torch.from_numpy(random.normal(size=(20, 3))).float()
    beside = torch.from_numpy(time[:20])
    # The same networks, given what the time stamps are when standardized in float64.
    plain, known = copy.deepcopy(model), ((beside - mean) / std).float()
    for module in plain.modules():
        if isinstance(module, Standardize):
            module.mean.zero_(), module.rest.zero_(), module.scale.fill_(1.0)
    codes = random.normal(size=(20, 2))
    spaces = [space_of(each, "test") for each in (model, plain)]
    for ours, theirs in (
        [s.decode(codes, c) for s, c in zip(spaces, (beside, known), strict=True)],
        [s.encode(x, c) for s, c in zip(spaces, (beside, known), strict=True)],
    ):
        assert np.abs(ours - theirs).max() < 1e-5
    moved = spaces[0].decode(codes, beside + 50.0)  # less than float32 keeps apart
    assert np.abs(moved - spaces[0].decode(codes, beside)).max() > 1e-3
    ours, theirs = encode_all(model, x, beside), encode_all(plain, x, known)
    for name in ("means", "rate", "squared_error"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), atol=1e-4, rtol=0)
    ours, theirs = (
        estimate_log_likelihood(each, x, c, samples=8, compile=False)
        for each, c in ((model, beside), (plain, known))
    )
    torch.testing.assert_close(ours.values, theirs.values, atol=1e-4, rtol=0)


def test_other_models_have_all_contexts_in_their_dtype() -> None:
    """None of whose parts asks for float64."""
    model = torch.nn.Linear(2, 2)
    x, context, label = torch.zeros(4, 2), torch.zeros(4, 1).double(), torch.arange(4)
    found = batch(model, slice(1, 3), x, context, label)
    assert [each.dtype for each in found] == [torch.float32, torch.float32, torch.int64]
    assert found[2].tolist() == [1, 2]
    assert batch(model, torch.tensor([3]), x.double(), label)[0].dtype == torch.float32
