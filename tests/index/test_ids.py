"""Ids are what they were given as, through build, add, save, open, search and files; or they are refused."""

from decimal import Decimal

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from astropy.utils.masked import Masked

from galzoo_repr import SimilarityIndex
from galzoo_repr.catalogue import read_catalogue, write_catalogue

VECTORS = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
LARGE = np.uint64(2**63 + 12345) + np.arange(4, dtype=np.uint64)


def build(ids):
    return SimilarityIndex.build(VECTORS, ids=ids)


@pytest.mark.parametrize(
    ("ids", "kept"),
    [
        (LARGE, LARGE.tolist()),
        ([2**63 + 1, 1, 2, 3], [2**63 + 1, 1, 2, 3]),
        ([np.int64(1), np.uint64(2**63 + 1), 3, 4], [1, 2**63 + 1, 3, 4]),
        (np.array([2**64 - 1, 1, 2, 3], dtype=object), [2**64 - 1, 1, 2, 3]),
        ([Decimal(2**62 + 1), Decimal(2), Decimal(3), Decimal(4)], [2**62 + 1, 2, 3, 4]),
        (np.array([-5, 2, 3, 4], dtype=">i8"), [-5, 2, 3, 4]),
        (np.array([[1], [2], [3], [4]]), [1, 2, 3, 4]),
        (range(4), [0, 1, 2, 3]),
        ([b"\xe9", b"b", b"c", b"d"], ["é", "b", "c", "d"]),
        (np.array(["a", "b ", "c", "d"], dtype=np.dtypes.StringDType()), ["a", "b ", "c", "d"]),
    ],
)
def test_ids_are_kept_exactly(ids, kept, tmp_path):
    index = build(ids)
    assert index.ids.tolist() == kept
    index.save(tmp_path / "index")
    opened = SimilarityIndex.open(tmp_path / "index")
    assert opened.ids.tolist() == kept
    assert opened.search(VECTORS, n=1)["id"].tolist() == kept


def test_ids_of_pandas():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    assert build(pandas.Series([5, 6, 7, 2**62 + 1], dtype="Int64")).ids.tolist() == [5, 6, 7, 2**62 + 1]
    assert build(pandas.Series(["a", "b", "c", "d"])).ids.tolist() == ["a", "b", "c", "d"]
    with pytest.raises(ValueError, match="in row 1"):
        build(pandas.Series([1, None, 3, 4], dtype=object))


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        (np.arange(4.0), TypeError, "not float64, whose digits beyond the 15th may be lost"),
        ([1.0, 2, 3, 4], TypeError, "not float such as 1.0, whose digits"),
        ([Decimal("1.5"), 2, 3, 4], TypeError, "not Decimal such as Decimal"),
        ([True, False, True, False], TypeError, "not bool such as True"),
        (np.arange(4).astype("M8[D]"), TypeError, r"not datetime64\[D\]"),
        (["a", 2, 3, 4], TypeError, "only some are text, such as 'a'"),
        ([2**64, 1, 2, 3], ValueError, "more than whole numbers of 64 bits hold; give them as text"),
        ([2**63, -1, 2, 3], ValueError, "ids from -1 to 9223372036854775808"),
        ([1, None, 3, 4], ValueError, "1 ids are masked or missing, in row 1; every galaxy needs one"),
        (["a", "", "c", "N/A"], ValueError, "2 ids are masked or missing, in row 1, 3"),
        (np.array([1, None, 3, 4], dtype=object), ValueError, "in row 1"),
        (MaskedColumn([1, 2, 3, 4], mask=[1, 0, 0, 1]), ValueError, "2 ids are .* in row 0, 3"),
        (Masked(np.arange(4), mask=[True, False, False, False]), ValueError, "in row 0"),
        (
            ["a", "a ", "c", "d"],
            ValueError,
            "more than once, or differ only by blanks at their end, such as 'a'",
        ),
        (LARGE // np.uint64(2) // np.uint64(2), ValueError, "more than once, such as"),
        (np.array(["a\0", "b", "c", "d"], dtype=object), ValueError, "end in NUL"),
        ([1, 2], ValueError, r"ids have shape \(2,\); give one for each of the 4"),
    ],
)
def test_ids_that_cannot_be_kept_are_refused(ids, error, message):
    with pytest.raises(error, match=message):
        build(ids)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.arange(4), LARGE),
        (LARGE, np.arange(4)),
        (LARGE, LARGE + np.uint64(4)),
        (np.arange(4, dtype=np.uint64), np.arange(4) - 4),
        (np.array(list("abcd")), np.array(["much longer 1", "2", "3", "4"])),
    ],
)
def test_ids_are_kept_exactly_where_others_are_added(first, second, tmp_path):
    index = build(first)
    index.save(tmp_path / "index")
    opened = SimilarityIndex.open(tmp_path / "index")
    for each in (index, opened):
        each.add(VECTORS + 1, ids=second)
    expected = [*first.tolist(), *second.tolist()]
    for each in (index, opened, SimilarityIndex.open(tmp_path / "index")):
        assert each.ids.tolist() == expected
        assert sorted(each.search(VECTORS[:1], n=8)["id"].tolist()) == sorted(expected)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.arange(4) - 4, LARGE, "hold both negative ids and ids beyond 9223372036854775807"),
        (LARGE, np.arange(4) - 4, "hold both negative ids"),
        (LARGE, LARGE[::-1], "4 ids are in the index already, such as '9223372036854788153'"),
        (
            np.array(list("abcd")),
            np.array(["a ", "x", "y", "z"]),
            "1 ids are in the index already, such as 'a'",
        ),
        (np.array(list("abcd")), np.arange(4), "ids of the index are <U1, those of the new galaxies int64"),
    ],
)
def test_ids_that_do_not_go_together_are_refused(first, second, message):
    index = build(first)
    with pytest.raises(ValueError, match=message):
        index.add(VECTORS, ids=second)
    assert len(index) == 4


@pytest.mark.parametrize("ending", ["ecsv", "parquet", "fits", "vot"])
def test_ids_are_kept_exactly_in_files(ending, tmp_path):
    write_catalogue(Table({"id": LARGE, "embedding": VECTORS}), tmp_path / f"galaxies.{ending}")
    index = SimilarityIndex.build(read_catalogue(tmp_path / f"galaxies.{ending}"), ids="id")
    write_catalogue(index.search(VECTORS, n=1), tmp_path / f"answer.{ending}")
    assert read_catalogue(tmp_path / f"answer.{ending}")["id"].tolist() == LARGE.tolist()
