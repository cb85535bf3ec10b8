import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import dirichlet_multinomial

from galzoo_repr.questions import Schema
from galzoo_repr.training import concentrations, dirichlet_multinomial_loss, expected_fractions

DECALS = Schema.load("gz_decals_dr5")
PAIR = DECALS.only("smooth-or-featured", "disk-edge-on")


def _scipy_loss(alpha, votes, schema):
    loss = np.zeros((len(votes), len(schema.questions)))
    for q in range(len(schema.questions)):
        of_question = schema.question_index == q
        for row in range(len(votes)):
            counts = votes[row, of_question]
            if counts.any():  # of no votes scipy has the probability only since 1.16
                loss[row, q] = -dirichlet_multinomial.logpmf(counts, alpha[row, of_question], counts.sum())
    return loss


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 40, 10_000]))
def test_equals_scipy(seed, most):
    rng = np.random.default_rng(seed)
    alpha = rng.uniform(1, 101, (2, 34))
    votes = rng.integers(0, most + 1, (2, 34))
    loss = dirichlet_multinomial_loss(
        torch.tensor(alpha), torch.tensor(votes), DECALS, reduction="none"
    ).numpy()
    np.testing.assert_allclose(loss, _scipy_loss(alpha, votes, DECALS), rtol=1e-7, atol=1e-7)


def test_unanswered_questions_contribute_nothing():
    logits = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    votes = torch.tensor([[5, 2, 1, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 1, 7]])
    by_question = dirichlet_multinomial_loss(concentrations(logits), votes, PAIR, reduction="none")
    assert by_question.shape == (3, 2)
    assert torch.equal(by_question == 0, torch.tensor([[False, True], [True, True], [True, False]]))
    by_question.sum().backward()
    assert torch.equal(
        logits.grad == 0, torch.tensor([[False] * 3 + [True] * 2, [True] * 5, [True] * 3 + [False] * 2])
    )


@pytest.mark.parametrize("most", [0, 1, 80, 10_000])
@pytest.mark.parametrize("logit", [-40.0, 0.0, 40.0])
def test_loss_and_gradient_are_finite_for_any_number_of_votes(most, logit):
    logits = torch.full((4, 34), logit, requires_grad=True)
    votes = torch.randint(0, most + 1, (4, 34), generator=torch.Generator().manual_seed(0))
    loss = dirichlet_multinomial_loss(concentrations(logits), votes, DECALS)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
    assert loss >= 0


def test_gradient_is_right():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(3, 34, dtype=torch.float64, generator=generator, requires_grad=True)
    votes = torch.randint(0, 60, (3, 34), generator=generator)
    assert torch.autograd.gradcheck(
        lambda x: dirichlet_multinomial_loss(concentrations(x), votes, DECALS), logits
    )


def test_fractional_votes_lie_between_whole_ones():
    alpha = torch.tensor([[3.0, 4.0]])
    rings = Schema.load("gz_rings")
    losses = [
        dirichlet_multinomial_loss(alpha, torch.tensor([[yes, 10 - yes]]), rings).item()
        for yes in (7.0, 7.5, 8.0)
    ]
    assert losses[0] < losses[1] < losses[2]


def test_single_precision_inputs_keep_their_digits_at_many_votes():
    alpha = torch.tensor([[2.5, 60.0]])
    votes = torch.tensor([[400.0, 9600.0]])
    loss = dirichlet_multinomial_loss(alpha, votes, Schema.load("gz_rings")).item()
    assert loss == pytest.approx(-dirichlet_multinomial.logpmf([400, 9600], [2.5, 60.0], 10_000), abs=1e-6)


def test_reductions_agree():
    alpha, votes = torch.rand(6, 34) + 1, torch.randint(0, 9, (6, 34))
    none, total, mean = (
        dirichlet_multinomial_loss(alpha, votes, DECALS, reduction=r) for r in ("none", "sum", "mean")
    )
    assert none.sum().item() == pytest.approx(total.item())
    assert mean.item() == pytest.approx(total.item() / 6)


def test_concentrations_and_expected_fractions():
    logits = torch.tensor([[-100.0, 0.0, 100.0]])
    alpha = concentrations(logits)
    assert alpha.tolist() == [[1.0, 51.0, 101.0]]
    fractions = expected_fractions(torch.rand(4, 34) + 1, DECALS)
    sums = np.zeros((4, 10))
    np.add.at(sums.T, DECALS.question_index, fractions.numpy().T)
    np.testing.assert_allclose(sums, 1, rtol=1e-6)


def test_wrong_shapes_and_reductions_are_refused():
    with pytest.raises(ValueError, match=r"shape \(n, 34\)"):
        dirichlet_multinomial_loss(torch.ones(2, 3), torch.ones(2, 3), DECALS)
    with pytest.raises(ValueError, match="'median'"):
        dirichlet_multinomial_loss(torch.ones(2, 34), torch.ones(2, 34), DECALS, reduction="median")
