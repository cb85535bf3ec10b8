"""Principal components of embeddings: the same as scikit-learn's, whatever the chunks and the offset."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from galzoo_repr.catalogue import _reduction, embedding_matrix
from galzoo_repr.catalogue._reduction import Reduction, mean_embedding


@pytest.fixture
def vectors():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(300, 9)) * np.linspace(3, 1, 9) + 500).astype(np.float32)


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("chunk", [7, 10_000])
def test_components_are_those_of_scikit_learn(vectors, whiten, chunk, monkeypatch):
    monkeypatch.setattr(_reduction, "CHUNK", chunk)
    embeddings = embedding_matrix(vectors)
    reduction = Reduction.fit(embeddings, 4, whiten=whiten)
    expected = PCA(4).fit(vectors.astype(float))
    components, theirs = reduction.transform(embeddings), expected.transform(vectors.astype(float))
    if whiten:
        theirs /= theirs.std(axis=0)
    theirs *= np.sign((components * theirs).sum(axis=0))
    np.testing.assert_allclose(components, theirs, atol=1e-3)
    np.testing.assert_allclose(reduction.explained, expected.explained_variance_ratio_, rtol=1e-4)
    np.testing.assert_allclose(mean_embedding(embeddings), vectors.mean(axis=0, dtype=float), rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
@pytest.mark.parametrize("whiten", [False, True])
def test_the_size_of_embeddings_does_not_matter(vectors, scale, whiten):
    large = embedding_matrix(vectors * np.float32(scale))
    of_large, reduction = (Reduction.fit(e, 3, whiten=whiten) for e in (large, embedding_matrix(vectors)))
    expected = reduction.transform(embedding_matrix(vectors)) * (1 if whiten else scale)
    np.testing.assert_allclose(of_large.transform(large), expected, atol=1e-3 * np.abs(expected).max())
    np.testing.assert_allclose(of_large.explained, reduction.explained, rtol=1e-3)


@pytest.mark.parametrize("huge", [1e200, 1e-200])
def test_what_single_precision_cannot_hold_is_not_usable(huge):
    vectors = np.ones((3, 2))
    vectors[1] *= huge
    assert embedding_matrix(vectors).usable.tolist() == [True, False, True]


def test_rows_without_embedding_count_for_nothing(vectors):
    holes = np.insert(vectors, [0, 50, 50], np.nan, axis=0)
    whole, reduction = (Reduction.fit(embedding_matrix(v), 3) for v in (vectors, holes))
    components = reduction.transform(embedding_matrix(holes))
    assert np.flatnonzero(np.isnan(components).any(axis=1)).tolist() == [0, 51, 52]
    np.testing.assert_allclose(
        np.delete(components, [0, 51, 52], axis=0), whole.transform(embedding_matrix(vectors)), atol=1e-4
    )


def test_directions_without_variation_are_not_kept(vectors):
    doubled = np.hstack([vectors, vectors, np.ones((300, 2), dtype=np.float32)])
    assert Reduction.fit(embedding_matrix(doubled), 15).n_components == 9


@pytest.mark.parametrize(
    ("array", "n", "message"),
    [
        (np.ones((5, 3)), 2, "all 5 embeddings are the same"),
        (np.full((7, 3), 0.1), 2, "all 7 embeddings are the same"),
        (np.full((7, 3), 1e-30, dtype=np.float32), 2, "all 7 embeddings are the same"),
        (np.eye(3)[:1], 1, "at least two galaxies need a finite embedding, but 1 of 1"),
        (np.full((4, 3), np.nan), 1, "but 0 of 4"),
        (np.eye(3), 0, "n_components must be at least 1, not 0"),
    ],
)
def test_what_has_no_components(array, n, message):
    with pytest.raises(ValueError, match=message):
        Reduction.fit(embedding_matrix(array), n)


@pytest.mark.parametrize("n", [300, 30_000])
@pytest.mark.parametrize("offset", [1.0, 1e4])
def test_the_common_scale_is_not_that_of_galaxies_on_the_mean(n, offset):
    vectors = np.zeros((n, 9)) + offset
    vectors[1:9], vectors[9:17] = offset + 3 * np.eye(8, 9), offset - 3 * np.eye(8, 9)
    embeddings = embedding_matrix(vectors)
    components = Reduction.fit(embeddings, 8, whiten=False, normalise=True).transform(embeddings)
    lengths = np.linalg.norm(components, axis=1)
    assert np.allclose(lengths[17:], 0, atol=1e-6)
    # Of many galaxies only so many are looked at: where all of these are alike, the scale is the root mean square.
    assert np.allclose(lengths[1:17], 1 if n == 300 else lengths[1], atol=1e-6)
    assert 1 - 1e-6 < lengths[1] < 50


def test_embeddings_of_other_dimensions_are_refused(vectors):
    reduction = Reduction.fit(embedding_matrix(vectors), 2)
    with pytest.raises(ValueError, match="have 8 dimensions, but the model was fitted on 9"):
        reduction.transform(embedding_matrix(vectors[:, :8]))
