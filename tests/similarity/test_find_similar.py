"""The table of the most alike galaxies: conditions on the sky, several examples, tags."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, QTable, Table
from hypothesis import given, settings
from hypothesis import strategies as st
from mocpy import MOC

from galzoo_repr import SimilarityIndex, add_similarity, find_similar


def catalogue(n=40, d=6, kind=Table, seed=0):
    rng = np.random.default_rng(seed)
    return kind(
        {
            "name": [f"galaxy {i}" for i in range(n)],
            "ra": rng.uniform(0, 360, n),
            "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, n))),
            "embedding": rng.normal(size=(n, d)),
        }
    )


@pytest.mark.parametrize("kind", [Table, QTable])
def test_the_answer_is_a_table_of_the_best(kind):
    cat = catalogue(kind=kind)
    found = find_similar(cat, 3, n=5)
    assert type(found) is kind
    assert found.colnames == ["similarity_rank", "similarity", "separation", "row", *cat.colnames]
    assert found["similarity_rank"].tolist() == [1, 2, 3, 4, 5]
    assert found["name"].tolist() == [f"galaxy {i}" for i in found["row"]]
    scored = add_similarity(cat, 3)
    assert scored["similarity_rank"][found["row"]].tolist() == [1, 2, 3, 4, 5]
    coords = SkyCoord(cat["ra"], cat["dec"], unit="deg")
    expected = coords[3].separation(coords[found["row"]])
    np.testing.assert_allclose(u.Quantity(found["separation"]).to_value(u.deg), expected.deg, rtol=1e-9)


def test_the_query_may_come_first():
    found = find_similar(catalogue(), [3, 5], n=4, include_query=True)
    assert found["similarity_rank"].tolist() == [0, 0, 1, 2, 3, 4]
    assert found["row"][:2].tolist() == [3, 5]


def test_more_than_there_are():
    assert len(find_similar(catalogue(7), 0, n=1000)) == 6
    assert len(find_similar(catalogue(1), 0)) == 0


def test_columns_of_the_catalogue_are_kept_beside_those_of_the_answer():
    cat = add_similarity(catalogue(), 1)
    found = find_similar(cat, 0, n=3)
    assert np.array_equal(found["similarity_catalogue"], cat["similarity"][found["row"]])
    assert found["similarity_rank"].tolist() == [1, 2, 3]


def test_without_positions_separation_is_nan():
    cat = catalogue()
    cat.remove_columns(["ra", "dec"])
    found = find_similar(cat, 0, n=3)
    assert np.isnan(found["separation"]).all()
    with pytest.raises(ValueError, match="no positions"):
        find_similar(cat, 0, min_separation=1 * u.deg)


def line(ra, dec, similarity):
    """Galaxies whose similarity to the first is as given."""
    cosine = np.asarray(similarity, float)
    return Table({"ra": ra, "dec": dec, "embedding": np.stack([cosine, np.sqrt(1 - cosine**2)], axis=1)})


@pytest.mark.parametrize(
    ("ra", "dec"),
    [
        ([0.001, 359.999, 0.002, 30.0, 30.001], [0, 0, 0, 0, 0]),
        ([10, 190, 100, 10, 10.0], [89.9995, 89.9995, 89.9995, 60, 60.001]),
        ([10, 190, 100, 10, 10.0], [-89.9995, -89.9995, -89.9995, -60, -60.001]),
    ],
)
def test_min_separation_at_the_poles_and_across_ra_zero(ra, dec):
    cat = line(ra, np.array(dec, float), [1, 0.9, 0.8, 0.7, 0.6])
    assert find_similar(cat, 0)["row"].tolist() == [1, 2, 3, 4]
    found = find_similar(cat, 0, min_separation=10 * u.arcsec)
    # 1 and 2 are beside the query, 4 is beside the more alike 3.
    assert found["row"].tolist() == [3]


def test_min_separation_keeps_the_better_of_two():
    cat = line([0, 50, 50.0001, 80], np.zeros(4), [1, 0.5, 0.9, 0.2])
    assert find_similar(cat, 0, min_separation=5 * u.arcsec)["row"].tolist() == [2, 3]
    ranked = add_similarity(cat, 0, min_separation=5 * u.arcsec)
    assert ranked["similarity_rank"].tolist() == [0, -1, 1, 2]


def test_galaxies_without_position_are_never_trivial():
    cat = line([0, np.nan, np.nan, 0.0001], np.zeros(4), [1, 0.9, 0.8, 0.7])
    found = find_similar(cat, 0, min_separation=5 * u.arcsec)
    assert found["row"].tolist() == [1, 2]
    assert np.isnan(found["separation"]).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.001, 1, 30, 170]))
def test_no_two_answers_are_near(seed, degrees):
    cat = catalogue(60, seed=seed)
    found = find_similar(cat, 0, n=60, min_separation=degrees * u.deg)
    coords = SkyCoord(cat["ra"], cat["dec"], unit="deg")[[0, *found["row"]]]
    apart = coords[:, None].separation(coords[None, :]).deg + 360 * np.eye(len(coords))
    assert apart.min() >= degrees * (1 - 1e-9)


def test_within_a_radius_of_the_query():
    cat = line([359.5, 0.4, 1.6, 180], np.zeros(4), [1, 0.5, 0.9, 0.8])
    assert find_similar(cat, 0, within=1 * u.deg)["row"].tolist() == [1]
    assert find_similar(cat, 0, within=(SkyCoord(180, 0, unit="deg"), 1 * u.deg))["row"].tolist() == [3]


def test_within_a_moc(tmp_path):
    cat = catalogue(200)
    moc = MOC.from_cone(lon=150 * u.deg, lat=10 * u.deg, radius=40 * u.deg, max_depth=6)
    inside = moc.contains_lonlat(cat["ra"] * u.deg, cat["dec"] * u.deg)
    found = find_similar(cat, 0, n=200, within=moc)
    assert set(found["row"]) == set(np.flatnonzero(inside)) - {0}
    moc.save(tmp_path / "moc.fits", format="fits")
    from_file = find_similar(cat, 0, n=200, within=tmp_path / "moc.fits")
    assert np.array_equal(from_file["row"], found["row"])


def test_an_answer_can_be_searched_in_turn():
    once = find_similar(add_similarity(catalogue(), 0), 0, n=5)
    twice = find_similar(once, 0, n=3)
    assert np.array_equal(twice["similarity_catalogue_catalogue"], once["similarity_catalogue"][twice["row"]])
    assert np.array_equal(twice["row_catalogue"], once["row"][twice["row"]])


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "is no file of a MOC; an angle has a unit, such as '2 deg'"), (b"junk", "cannot be read as")],
)
def test_what_is_no_region(tmp_path, content, message):
    if content is not None:
        (tmp_path / "2 deg").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        find_similar(catalogue(), 0, within=str(tmp_path / "2 deg"))


def test_within_an_empty_region_is_an_empty_table():
    found = find_similar(line([0, 100], [0, 0], [1, 0.5]), 0, within=1 * u.arcsec)
    assert len(found) == 0
    assert "separation" in found.colnames


def test_a_radius_needs_a_position():
    with pytest.raises(ValueError, match="no example has a sky position"):
        find_similar(catalogue(), np.ones(6), within=1 * u.deg)


def test_negative_examples_are_not_among_the_answers():
    assert not set(find_similar(catalogue(), 0, n=100, negatives=[4, 5])["row"]) & {0, 4, 5}


def test_principal_components_and_their_share_of_the_variance():
    rng = np.random.default_rng(1)
    plane = rng.normal(size=(100, 2)) * [5, 2]
    cat = Table({"embedding": np.hstack([plane, 1e-3 * rng.normal(size=(100, 4))]) + 30})
    found = find_similar(cat, 0, n=100, components=2)
    centred = plane - plane.mean(axis=0)
    cosine = centred @ centred[0] / np.linalg.norm(centred, axis=1) / np.linalg.norm(centred[0])
    np.testing.assert_allclose(found["similarity"], cosine[found["row"]], atol=0.01)
    assert found.meta["galzoo_repr"]["find_similar"]["explained_variance"] > 0.999
    distance = find_similar(cat, 0, n=100, components=2, metric="euclidean", whiten=True)
    # Between whitened components the distance is that of Mahalanobis.
    apart = centred - centred[0]
    expected = -np.sqrt(np.einsum("ni,ij,nj->n", apart, np.linalg.inv(np.cov(plane.T, bias=True)), apart))
    np.testing.assert_allclose(distance["similarity"], expected[distance["row"]], rtol=1e-3)


def tagged():
    cat = line([0, 10, 20, 30, 30.01], np.zeros(5), [1, 0.9, 0.5, 0.1, 0])
    cat["tags"] = ["ring", "#Ring, ring, merger", "dust-lane", "merger,merger,merger", ""]
    return cat


def test_one_table_for_each_tag():
    found = find_similar(tagged(), "tags", n=2)
    assert list(found) == ["merger", "ring", "dust-lane"]
    # The galaxy called a ring twice is the query for rings.
    assert found["ring"]["row"].tolist() == [0, 2]
    # The galaxy 36 arcsec from the merger is left out.
    assert found["merger"]["row"].tolist() == [2, 1]
    assert find_similar(tagged(), "tags", n=1, min_separation=1 * u.arcsec)["merger"]["row"].tolist() == [4]


def test_tags_as_lists_masked_or_chosen():
    cat = tagged()
    cat["lists"] = np.array([["ring"], ["ring", "ring"], [], None, ["star"]], dtype=object)
    assert list(find_similar(cat, "lists")) == ["ring", "star"]
    assert list(find_similar(cat, "tags", tags=["#merger"])) == ["merger"]
    cat["tags"] = np.ma.array(cat["tags"], mask=[0, 1, 0, 1, 0])
    assert find_similar(cat, "tags", tags="ring")["ring"]["row"][0] == 1


@pytest.mark.parametrize(
    "tags",
    [
        ["ring, bar", "nan", "None", "['ring', 'bar']", "?"],
        ["#Ring; BAR", "", "N/A", "ring|bar", "--"],
        ["#ring #bar", "", "Ring\nbar", "", ""],
        Column(
            [{"ring"}, frozenset(["bar"]), np.ma.array(["bar", "x"], mask=[0, 1]), None, []], dtype=object
        ),
        [b"ring,bar", b"null", b"", b"ring", b"[]"],
        Column([["ring", "bar"], None, np.array(["bar"]), ("N/A",), np.nan], dtype=object),
        np.array([["ring", "bar"], ["", "-"], ["ring", "null"], ["", ""], ["bar", ""]]),
    ],
)
def test_tags_come_in_many_forms_and_words_for_no_value_are_none(tags):
    cat = tagged()
    cat["tags"] = tags
    assert sorted(find_similar(cat, "tags", n=1)) == ["bar", "ring"]


def test_tags_in_latin_1_are_text():
    cat = tagged()
    cat["tags"] = [b"S\xe9rsic", b"", b"", b"", b""]
    assert list(find_similar(cat, "tags", n=1)) == ["sérsic"]


@pytest.mark.parametrize(
    "marked",
    [
        [True, False, False, False, False],
        ["True", "False", "False", "", "?"],
        Column([True, None, False, np.nan, None], dtype=object),
        MaskedColumn([True, True, False, False, False], mask=[0, 1, 0, 0, 0]),
    ],
)
def test_examples_are_marked_in_every_form_of_booleans(marked):
    cat = tagged()
    cat["good"] = marked
    assert 0 not in find_similar(cat, "good", n=4)["row"]
    assert 1 in find_similar(cat, "good", n=4)["row"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tags": ["spiral"]}, "no galaxy with an embedding has the tag 'spiral'"),
        ({"tags": []}, "has a tag"),
    ],
)
def test_tags_that_nobody_used(options, message):
    with pytest.raises(ValueError, match=message):
        find_similar(tagged(), "tags", **options)


def test_tags_without_a_column_of_tags():
    with pytest.raises(ValueError, match="needs the name of a column of tags"):
        find_similar(tagged(), 0, tags=["ring"])


def test_an_index_gives_the_same_answers():
    cat = catalogue(100)
    cat["embedding"][7] = np.nan
    for options in ({}, {"components": 3}, {"metric": "euclidean"}):
        index = SimilarityIndex.build(cat, **options)
        for query, conditions in ((0, {}), ([1, 2], {"negatives": [3]}), ([4, 5], {"combine": "best"})):
            direct = find_similar(cat, query, **conditions, **options)
            indexed = find_similar(cat, query, index=index, **conditions)
            assert np.array_equal(direct["row"], indexed["row"])
            np.testing.assert_allclose(direct["similarity"], indexed["similarity"], atol=1e-6)


def test_an_index_of_another_table_is_refused():
    cat = catalogue(100)
    index = SimilarityIndex.build(cat)
    with pytest.raises(ValueError, match="99 rows, but the index was built from 100"):
        find_similar(cat[:99], 0, index=index)
    changed = cat.copy()
    changed["embedding"][50] *= -1
    with pytest.raises(ValueError, match="not those of the index, such as in row 50"):
        find_similar(changed, 0, index=index)
    with pytest.raises(ValueError, match="not those of the index"):
        find_similar(cat[::-1], 0, index=index)
    with pytest.raises(ValueError, match="are those of the index; leave them out"):
        find_similar(cat, 0, index=index, components=2)


@pytest.mark.parametrize("find", [find_similar, add_similarity])
@pytest.mark.parametrize(
    ("rows", "query", "options", "error", "message"),
    [
        (0, 0, {}, ValueError, "row .0. asked for, but the catalogue has 0 rows"),
        (40, 40, {}, ValueError, "row .40. asked for, but the catalogue has 40 rows"),
        (40, np.ma.array([1, 2], mask=[False, True]), {}, ValueError, "row numbers of the query are masked"),
        (40, np.ones(7), {}, ValueError, "the query has 7 dimensions, the catalogue's embeddings have 6"),
        (40, np.full(6, np.nan), {}, ValueError, "must be finite and not zero"),
        (40, 0, {"negatives": [0, 3]}, ValueError, r"row \[0\] is an example and a negative example"),
        (40, 0, {"whiten": True}, ValueError, "needs components="),
        (1, 0, {"components": 1}, ValueError, "at least 2 galaxies with an embedding"),
    ],
)
def test_what_cannot_be_asked(find, rows, query, options, error, message):
    with pytest.raises(error, match=message):
        find(catalogue()[:rows], query, **options)


def test_an_empty_catalogue_has_no_similar_galaxy():
    empty = catalogue()[:0]
    assert len(find_similar(empty, np.ones(6))) == 0
    assert len(add_similarity(empty, np.ones(6))) == 0


def test_an_index_must_be_one():
    with pytest.raises(TypeError, match="index must be a SimilarityIndex"):
        find_similar(catalogue(), 0, index="decals.index")
