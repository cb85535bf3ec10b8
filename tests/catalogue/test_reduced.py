"""Catalogues are reduced once: found again by all that their embeddings hold, in memory and on disk."""

import logging
import os
import subprocess
import sys

import numpy as np
import pytest

from galzoo_repr import conf
from galzoo_repr.catalogue import (
    Embeddings,
    Reduction,
    _reduced,
    embedding_matrix,
    fingerprint,
    reduce_embeddings,
)


@pytest.fixture
def vectors():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(300, 9)) * np.linspace(3, 1, 9)).astype(np.float32)


@pytest.fixture
def on_disk(isolated_cache, monkeypatch):
    """Every catalogue is worth a file; its folder."""
    monkeypatch.setattr(_reduced, "WORTH_A_FILE", 0)
    return isolated_cache / "reductions"


@pytest.fixture
def fits(monkeypatch):
    """Names of the catalogues that were reduced, as many as there were."""
    seen, fit = [], Reduction.fit
    monkeypatch.setattr(
        Reduction,
        "fit",
        lambda embeddings, *args, **options: (
            seen.append(len(embeddings)) or fit(embeddings, *args, **options)
        ),
    )
    return seen


def negative_pair(vectors):
    # The highest bit of two numbers, the lower-order change of all to a sum.
    vectors[:, [1, 3]] *= -1


def swapped_rows(vectors):
    vectors[[3, 200]] = vectors[[200, 3]]


def swapped_columns(vectors):
    vectors[:, [0, 1]] = vectors[:, [1, 0]]


def rolled(vectors):
    vectors[:] = np.roll(vectors, 1)


def one_bit(vectors):
    vectors.view(np.uint32)[299, 8] ^= 1


def compensated(vectors):
    bits = vectors.view(np.uint32)
    bits[5, 2] += 1
    bits[5, 4] -= 1


def sign_of_one(vectors):
    vectors[0, 0] *= -1


def signs_of_all(vectors):
    vectors *= -1


def no_number(vectors):
    vectors[7] = np.nan


CHANGES = [
    negative_pair, swapped_rows, swapped_columns, rolled, one_bit, compensated, sign_of_one, signs_of_all, no_number,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_fingerprint_sees_what_changes_in_place(vectors, change):
    before = fingerprint(embedding_matrix(vectors))
    change(vectors)
    assert fingerprint(embedding_matrix(vectors)) != before


@pytest.mark.parametrize("swap", [(0, 1), (0, 8), (2, 5), (7, 8)])
def test_no_pair_of_columns_may_change_places_or_signs(vectors, swap):
    before = fingerprint(embedding_matrix(vectors))
    swapped, signs = vectors.copy(), vectors.copy()
    swapped[:, swap] = swapped[:, swap[::-1]]
    signs[:, swap] *= -1
    assert len({before, *(fingerprint(embedding_matrix(each)) for each in (swapped, signs))}) == 3


def test_a_fingerprint_knows_shape_type_and_what_is_usable(vectors):
    same = embedding_matrix(vectors)
    others = [
        embedding_matrix(vectors.reshape(100, 27)),
        embedding_matrix(vectors[:299]),
        embedding_matrix(vectors.astype(float)),
        embedding_matrix(vectors.view(np.uint8).view(">f4")),
        Embeddings(vectors, np.arange(300) != 4),
        embedding_matrix(np.zeros((300, 9), dtype=np.float32)),
    ]
    assert len({fingerprint(each) for each in (same, *others)}) == 7


def test_a_fingerprint_does_not_depend_on_how_the_numbers_lie_in_memory(vectors):
    whole = np.zeros((300, 20), dtype=np.float32)
    whole[:, 3:12] = vectors
    turned = np.asfortranarray(vectors)
    assert len({fingerprint(embedding_matrix(each)) for each in (vectors, whole[:, 3:12], turned)}) == 1


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (3, 5), (1000, 513), (70_000, 1)])
def test_every_value_of_any_shape_counts(shape):
    vectors = np.random.default_rng(1).normal(size=shape).astype(np.float16)
    seen = {fingerprint(embedding_matrix(vectors))}
    places = {0, vectors.size // 2, vectors.size - 1} if vectors.size else set()
    for place in places:
        vectors.flat[place] += 1
        seen.add(fingerprint(embedding_matrix(vectors)))
    assert len(seen) == 1 + len(places)


@pytest.mark.parametrize("whiten", [False, True])
def test_what_is_kept_is_what_a_reduction_gives(vectors, whiten, on_disk):
    vectors[4] = np.nan
    embeddings = embedding_matrix(vectors)
    reduction = Reduction.fit(embeddings, 4, whiten=whiten)
    expected = reduction.transform(embeddings)
    for _ in range(2):
        found = reduce_embeddings(embeddings, 4, whiten=whiten)
        np.testing.assert_array_equal(found.features, expected)
        for name, value in vars(reduction).items():
            np.testing.assert_array_equal(getattr(found.reduction, name), value)
        _reduced._kept.clear()  # from disk, the second time
    np.testing.assert_array_equal(reduce_embeddings(embeddings, reduction).features, expected)


def test_a_catalogue_is_reduced_once_while_it_stays_as_it_is(vectors, fits):
    first = reduce_embeddings(embedding_matrix(vectors), 3)
    assert reduce_embeddings(embedding_matrix(vectors.copy()), 3).features is first.features
    assert len(fits) == 1
    assert reduce_embeddings(embedding_matrix(vectors), 4).features.shape == (300, 4)
    vectors[17, 2] += 1
    changed = reduce_embeddings(embedding_matrix(vectors), 3)
    assert not np.array_equal(changed.features, first.features)
    assert len(fits) == 3


def test_two_catalogues_are_kept_in_memory(vectors, fits):
    catalogues = [embedding_matrix(vectors + shift) for shift in np.float32([0, 1, 2])]
    for number in (0, 1, 0, 1, 2, 1):
        reduce_embeddings(catalogues[number], 3)
    assert len(fits) == 3
    reduce_embeddings(catalogues[0], 3)
    assert len(fits) == 4


def test_components_of_another_catalogue_are_kept_too(vectors, monkeypatch):
    reduction = Reduction.fit(embedding_matrix(vectors[:100]), 3)
    first = reduce_embeddings(embedding_matrix(vectors), reduction)
    monkeypatch.setattr(Reduction, "transform", None)
    assert reduce_embeddings(embedding_matrix(vectors), reduction).features is first.features


def test_small_catalogues_write_nothing(vectors, isolated_cache):
    reduce_embeddings(embedding_matrix(vectors), 3)
    assert not (isolated_cache / "reductions").exists()


def test_nothing_is_kept_where_that_is_asked_for(vectors, on_disk, fits):
    with conf.set_temp("reductions_size", 0.0):
        for _ in range(2):
            reduce_embeddings(embedding_matrix(vectors), 3)
    assert len(fits) == 2
    assert not on_disk.exists()


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    body = bytearray(path.read_bytes())
    body[-7] ^= 1
    path.write_bytes(body)


def folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [cut, empty, flip, folder], ids=lambda damage: damage.__name__)
def test_a_damaged_file_is_ignored_and_replaced(vectors, on_disk, fits, damage, caplog):
    expected = reduce_embeddings(embedding_matrix(vectors), 3)
    (path,) = on_disk.iterdir()
    damage(path)
    _reduced._kept.clear()
    with caplog.at_level(logging.WARNING, "galzoo_repr"):
        found = reduce_embeddings(embedding_matrix(vectors), 3)
    assert "cannot be used, and the catalogue is reduced anew" in caplog.text
    np.testing.assert_array_equal(found.features, expected.features)
    assert len(fits) == 2
    if damage is not folder:
        _reduced._kept.clear()
        reduce_embeddings(embedding_matrix(vectors), 3)
        assert len(fits) == 2


def test_the_file_of_another_catalogue_is_not_taken(vectors, on_disk, fits):
    reduce_embeddings(embedding_matrix(vectors), 3)
    (first,) = on_disk.iterdir()
    other = reduce_embeddings(embedding_matrix(vectors + 1), 3)
    (second,) = set(on_disk.iterdir()) - {first}
    first.replace(second)
    _reduced._kept.clear()
    np.testing.assert_array_equal(
        reduce_embeddings(embedding_matrix(vectors + 1), 3).features, other.features
    )
    assert len(fits) == 3


def test_the_folder_may_be_deleted_or_not_be_writable(vectors, on_disk, fits, caplog):
    reduce_embeddings(embedding_matrix(vectors), 3)
    (path,) = on_disk.iterdir()
    path.unlink()
    on_disk.rmdir()
    on_disk.write_text("not a folder")
    _reduced._kept.clear()
    with caplog.at_level(logging.WARNING, "galzoo_repr"):
        reduce_embeddings(embedding_matrix(vectors), 3)
    assert "the reduced catalogue is not kept in" in caplog.text
    assert len(fits) == 2


def test_the_files_used_last_are_kept_up_to_a_size(vectors, on_disk, fits):
    catalogues = [embedding_matrix(vectors + shift) for shift in np.float32([0, 1, 2])]
    reduce_embeddings(catalogues[0], 3)
    (path,) = on_disk.iterdir()
    with conf.set_temp("reductions_size", 2.5 * path.stat().st_size / 1e9):
        reduce_embeddings(catalogues[1], 3)
        for written in on_disk.iterdir():
            os.utime(written, (1e9, 1e9))
        _reduced._kept.clear()
        reduce_embeddings(catalogues[0], 3)  # read, hence used later than the second
        reduce_embeddings(catalogues[2], 3)
        assert len(list(on_disk.iterdir())) == 2
        _reduced._kept.clear()
        reduce_embeddings(catalogues[0], 3)
        assert len(fits) == 3
        reduce_embeddings(catalogues[1], 3)
        assert len(fits) == 4


# In a program of its own: what a test module is called depends on how pytest was started.
ELSEWHERE = """
import sys
import numpy as np
from galzoo_repr import conf
from galzoo_repr.catalogue import _reduced, embedding_matrix, reduce_embeddings

cache, vectors, result = sys.argv[1:]
_reduced.WORTH_A_FILE = 0
vectors = np.load(vectors)
with conf.set_temp("cache_dir", cache):
    for shift in np.float32([0, 1, 2]):
        found = reduce_embeddings(embedding_matrix(vectors + shift), 3)
np.save(result, found.features)
"""


def test_several_processes_share_the_folder(vectors, on_disk, fits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    np.save(folder / "vectors.npy", vectors)
    results = [folder / "one.npy", folder / "other.npy"]
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", ELSEWHERE, str(on_disk.parent), str(folder / "vectors.npy"), str(result)]
        )
        for result in results
    ]
    assert [program.wait(timeout=120) for program in programs] == [0, 0]
    assert len(list(on_disk.iterdir())) == 3
    for result in results:
        features = reduce_embeddings(embedding_matrix(vectors + np.float32(2)), 3).features
        np.testing.assert_array_equal(np.load(result), features)
    assert not fits
