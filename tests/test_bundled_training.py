"""How benchmarks/bundled_encoder.py puts a training together: what is shown how often, and mixed weights."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.table import Table

from galzoo_repr import Encoder, ImageRecipe, Schema

SCRIPTS = ("bundled_encoder", "real_answers", "real_galaxies", "imagenet")


@pytest.fixture
def bundled_encoder(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    yield __import__("bundled_encoder")
    for name in SCRIPTS:
        sys.modules.pop(name, None)


def test_rare_answers_are_shown_more_often_and_unclear_galaxies_least(bundled_encoder):
    votes = [(20, 0)] * 8 + [(0, 20)] * 2 + [(1, 0), (np.nan, np.nan), (10, 10)]
    table = Table(rows=votes, names=["ring_yes", "ring_no"])
    weights = bundled_encoder.balanced(table, Schema.load("gz_rings"), fewest=1)
    assert weights[8] == pytest.approx(weights[0] * 2)
    assert weights[10:] == pytest.approx(weights.min())
    capped = bundled_encoder.balanced(table, Schema.load("gz_rings"), fewest=8)
    assert capped == pytest.approx(capped[0])


def test_fields_are_those_of_the_chunks_then_the_real_ones(bundled_encoder):
    chunks = [np.full((3, 3, 2, 2), value, np.uint8) for value in (1, 2)]
    fields = bundled_encoder.Fields(chunks, np.full((2, 3, 2, 2), 9, np.uint8))
    shown = fields(np.array([0, 2, 3, 5, 6, 7]), torch.device("cpu"))
    assert shown[:, 0, 0, 0].tolist() == [1, 1, 2, 2, 9, 9]


def test_mixed_weights_lie_between_and_leave_both_alone(bundled_encoder):
    first, second = (
        Encoder(
            torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 2)), ImageRecipe(size=8), name=name
        )
        for name in ("first", "second")
    )
    ends = [one.model[1].weight.detach().clone() for one in (first, second)]
    mixed = bundled_encoder.between(first, second, 0.25)
    assert torch.allclose(mixed.model[1].weight, 0.75 * ends[0] + 0.25 * ends[1])
    assert torch.equal(first.model[1].weight, ends[0])
    assert torch.equal(second.model[1].weight, ends[1])
