"""The columns similarity and similarity_rank, for every form of query."""

import re

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import Angle, SkyCoord
from astropy.table import Column, MaskedColumn, QTable, Table, vstack
from hypothesis import given, settings
from hypothesis import strategies as st

from galzoo_repr import add_similarity


def catalogue(n=12, d=5, kind=Table, seed=0):
    rng = np.random.default_rng(seed)
    return kind(
        {
            "ra": 150 + rng.uniform(-1, 1, n),
            "dec": 2 + rng.uniform(-1, 1, n),
            "embedding": rng.normal(size=(n, d)).astype(np.float32),
        }
    )


def cosine(vectors, query):
    vectors, query = np.asarray(vectors, float), np.asarray(query, float)
    return vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)


@pytest.mark.parametrize("kind", [Table, QTable])
def test_similarity_is_the_cosine_and_ranks_follow_it(kind):
    cat = catalogue(kind=kind)
    result = add_similarity(cat, 3)
    expected = cosine(cat["embedding"], cat["embedding"][3])
    np.testing.assert_allclose(result["similarity"], expected, atol=1e-12)
    assert type(result) is kind
    assert result["similarity_rank"][3] == 0
    order = np.argsort(result["similarity_rank"])
    assert order[0] == 3
    assert np.all(np.diff(result["similarity"][order]) <= 0)
    assert sorted(result["similarity_rank"]) == list(range(12))
    assert "higher is more alike" in result["similarity"].description
    assert "similarity" not in cat.colnames


def test_a_position_means_the_galaxy_there():
    cat = catalogue()
    there = SkyCoord(cat["ra"][7], cat["dec"][7], unit="deg").directional_offset_by(0 * u.deg, 4 * u.arcsec)
    by_position, by_row = add_similarity(cat, there), add_similarity(cat, 7)
    assert np.array_equal(by_position["similarity_rank"], by_row["similarity_rank"])
    galactic = add_similarity(cat, there.galactic)
    assert np.array_equal(galactic["similarity_rank"], by_row["similarity_rank"])


PLACES = {"ra": [149.0, 150.0, 150.5], "dec": [1.0, 2.0, -2.25], "name": ["NGC 0628", "UGC 12", "UGC 13"]}


def named():
    return Table({**PLACES, "objid": [2**53 + 1, 2**53 + 2, 2**53 + 3], "embedding": np.eye(3)})


@pytest.mark.parametrize(
    "query",
    [
        "150.0 2.0",
        "150.0, 2.0",
        "150,2",
        " 150.0  +2.0 ",
        "10h00m +02d00m",
        "10h00m00.0s+02d00m00s",
        "10:00:00 +02:00:00",
        "10 00 00 +02 00 00",
        "150d 2d",
        "150.0 deg 2.0 deg",
        "J100000+020000",
        "SDSS J100000.00+020000.0",
        "2MASX J10000000+0200000",
        "DESI J150.0000+02.0000",
        "09h57m25.007s +02d14m25.09s B1950",
        "J2000 10:00:00 +2:00:00",
        ("10h00m", "+02d00m"),
        ("150.0", "2.0"),
        ["10:00:00", "+02:00:00"],
        (150 * u.deg, 2 * u.deg),
        (10 * u.hourangle, "+02d00m"),
        [Angle("10h0m0s"), Angle("2d")],
        [150, 2] * u.deg,
        (Column([150.0], unit="deg"), Column([2.0], unit="deg")),
        ["150.0 2.0"],
        np.array(["150.0 2.0"]),
        "UGC 12",
        "ugc12",
        ["UGC_12"],
        str(2**53 + 2),
        Column(["UGC 12"]),
    ],
)
def test_positions_and_names_are_queries_in_every_form(query):
    assert add_similarity(named(), query)["similarity_rank"].tolist().index(0) == 1


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        (["UGC 13", "150.0 2.0", "ngc628"], [2, 1, 0]),
        (["150.0 2.0", "150.5 -2.25"], [1, 2]),
        (("150.0 2.0", "150.5 -2.25"), [1, 2]),
        (([150.0, 150.5] * u.deg, [2.0, -2.25] * u.deg), [1, 2]),
        ([[150.0, 2.0], [150.5, -2.25]] * u.deg, [1, 2]),
    ],
)
def test_several_names_and_positions_keep_their_order(query, rows):
    found = add_similarity(named(), query, weights=np.arange(1.0, 1 + len(rows)), combine="mean")
    by_rows = add_similarity(named(), rows, weights=np.arange(1.0, 1 + len(rows)), combine="mean")
    np.testing.assert_allclose(found["similarity"], by_rows["similarity"])


def test_a_name_of_several_galaxies_is_ambiguous():
    cat = named()
    cat["name"] = ["UGC 12", "ugc 12", "UGC012"]
    assert add_similarity(cat, "ugc 12")["similarity_rank"][1] == 0
    with pytest.raises(
        ValueError, match="3 galaxies are called 'Ugc 12' in column 'name', in rows 0, 1, 2; give"
    ):
        add_similarity(cat, "Ugc 12")


def test_a_name_that_is_also_a_file_is_ambiguous(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "UGC 12").write_bytes(b"")
    with pytest.raises(ValueError, match="'UGC 12' is a file, and the name of row 1; give the row"):
        add_similarity(named(), "UGC 12")
    (tmp_path / "UGC 12").rename(tmp_path / "other")
    with pytest.raises(ValueError, match="mixes files of pictures, such as 'other', with other text"):
        add_similarity(named(), ["other", "UGC 12"])


def test_names_that_are_positions_to_some_arcsec_mean_the_only_galaxy_there():
    cat = named()
    cat["ra"][1] += 10 / 3600
    assert add_similarity(cat, "J100000+020000")["similarity_rank"][1] == 0
    with pytest.raises(
        ValueError, match="no galaxy of the catalogue is within the 15 arcsec to which the name"
    ):
        add_similarity(cat, "J100500+020000")
    cat["ra"], cat["dec"] = 150.0, 2.0
    with pytest.raises(ValueError, match="rows 0, 1, 2 are within the 15 arcsec"):
        add_similarity(cat, "J100000+020000")


def test_angles_may_be_text():
    cat = catalogue()
    for text, angle in [("1 deg", 1 * u.deg), ("30'", 30 * u.arcmin), ('1800"', 0.5 * u.deg)]:
        options = {"max_separation": angle, "min_separation": angle, "within": angle}
        expected = add_similarity(cat, 3, **options)
        found = add_similarity(cat, 3, **dict.fromkeys(options, text))
        assert found["similarity_rank"].tolist() == expected["similarity_rank"].tolist()
    centre = add_similarity(cat, 3, within=("150.0 2.0", "30 arcmin"))
    expected = add_similarity(cat, 3, within=(SkyCoord(150, 2, unit="deg"), 0.5 * u.deg))
    assert centre["similarity_rank"].tolist() == expected["similarity_rank"].tolist()


def test_positions_in_a_skycoord_column():
    cat = catalogue()
    coords = SkyCoord(cat["ra"], cat["dec"], unit="deg")
    result = add_similarity(QTable({"where": coords.galactic, "embedding": cat["embedding"]}), coords[2])
    assert result["similarity_rank"][2] == 0


def test_rows_mask_column_vectors_and_table_agree():
    cat = catalogue()
    cat["mine"] = np.isin(np.arange(12), [1, 4])
    expected = add_similarity(cat, [1, 4])["similarity_rank"]
    for query in (np.array([1, 4]), cat["mine"], "mine", np.asarray(cat["mine"]), cat[[1, 4]], [-11, -8]):
        assert np.array_equal(add_similarity(cat, query)["similarity_rank"], expected)
    as_vectors = add_similarity(cat, np.asarray(cat["embedding"][[1, 4]]))
    np.testing.assert_allclose(as_vectors["similarity"], add_similarity(cat, [1, 4])["similarity"])
    assert (as_vectors["similarity_rank"] > 0).all()


def test_a_row_of_the_table_itself():
    cat = catalogue()
    assert add_similarity(cat, cat[5])["similarity_rank"][5] == 0


def test_rows_and_tables_of_another_catalogue():
    cat, other = catalogue(), catalogue(seed=9)
    from_row = add_similarity(cat, other[2])
    assert (from_row["similarity_rank"] > 0).all()
    np.testing.assert_allclose(from_row["similarity"], cosine(cat["embedding"], other["embedding"][2]))
    other["embedding"][:] = np.nan
    with pytest.raises(ValueError, match="no row with an embedding"):
        add_similarity(cat, other)
    with pytest.raises(ValueError, match="neither embeddings nor valid positions"):
        add_similarity(cat, Table({"ra": [np.nan], "dec": [0.0]}))


def test_the_survey_of_the_catalogue_is_used_again():
    from galzoo_repr.catalogue import record_provenance
    from galzoo_repr.similarity._catalogue import Catalogue, Fetch
    from galzoo_repr.similarity._embed_query import _survey

    cat = catalogue()
    assert _survey(Catalogue(cat, "embedding"), Fetch()) is None
    facts = {"survey": "http://127.0.0.1:1/viewer", "layer": "ls-dr9", "route": "viewer"}
    record_provenance(cat, "add_embeddings", facts)
    survey = _survey(Catalogue(cat, "embedding"), Fetch())
    assert (survey.server, survey.layer) == (facts["survey"], facts["layer"])


def test_a_table_of_positions_only():
    cat = catalogue()
    result = add_similarity(cat, cat["ra", "dec"][[2, 9]])
    assert np.flatnonzero(result["similarity_rank"] == 0).tolist() == [2, 9]


def test_mean_and_best_of_several_examples():
    cat = catalogue()
    each = np.stack([cosine(cat["embedding"], cat["embedding"][i]) for i in (0, 1)])
    mean = add_similarity(cat, [0, 1], combine="mean")
    np.testing.assert_allclose(mean["similarity"], each.mean(axis=0), atol=1e-12)
    best = add_similarity(cat, [0, 1], combine="best")
    np.testing.assert_allclose(best["similarity"], each.max(axis=0), atol=1e-12)
    weighted = add_similarity(cat, [0, 1], weights=[3, 1], combine="mean")
    np.testing.assert_allclose(weighted["similarity"], (3 * each[0] + each[1]) / 4, atol=1e-12)
    cat["certainty"] = np.arange(12.0)
    column = add_similarity(cat, [0, 1], weights="certainty", combine="mean")
    np.testing.assert_allclose(column["similarity"], each[1], atol=1e-12)


def test_by_default_several_examples_are_contrasted_with_the_catalogue():
    cat = catalogue()
    cat["embedding"][4] = np.nan
    usable = np.asarray(cat["embedding"][np.arange(12) != 4], float)
    mean = add_similarity(cat, [0, 1], combine="mean")["similarity"]
    background = np.mean([cosine(cat["embedding"], one) for one in usable], axis=0)
    found = add_similarity(cat, [0, 1])
    np.testing.assert_allclose(found["similarity"], mean - background, atol=1e-6)
    assert "less that to the catalogue" in found["similarity"].description
    one = add_similarity(cat, [3])["similarity"]
    np.testing.assert_allclose(one, cosine(cat["embedding"], cat["embedding"][3]), atol=1e-6)


def test_negatives_push_away():
    cat = catalogue()
    plain, pushed = add_similarity(cat, 0), add_similarity(cat, 0, negatives=[5])
    away = cosine(cat["embedding"], cat["embedding"][5])
    np.testing.assert_allclose(pushed["similarity"], plain["similarity"] - away, atol=1e-12)
    assert pushed["similarity_rank"][5] == -1
    assert "negative" in pushed["similarity"].description


def test_euclidean_is_minus_the_distance():
    cat = catalogue()
    result = add_similarity(cat, 0, metric="euclidean")
    distance = np.linalg.norm(np.asarray(cat["embedding"], float) - cat["embedding"][0], axis=1)
    np.testing.assert_allclose(result["similarity"], -distance)
    assert result["similarity"][0] == 0


def test_galaxies_without_embedding_get_nan_and_are_counted():
    cat = catalogue()
    cat["embedding"][2] = np.nan
    cat["embedding"][3] = 0
    cat["embedding"][4, 1] = np.inf
    result = add_similarity(cat, 0)
    assert np.flatnonzero(np.isnan(result["similarity"])).tolist() == [2, 3, 4]
    assert result["similarity_rank"][[2, 3, 4]].tolist() == [-1, -1, -1]
    assert result.meta["galzoo_repr"]["add_similarity"]["without_embedding"] == 3


def test_masked_embeddings_are_not_used():
    cat = catalogue()
    mask = np.zeros((12, 5), bool)
    mask[6] = True
    cat["embedding"] = MaskedColumn(cat["embedding"], mask=mask)
    assert add_similarity(cat, 0)["similarity_rank"][6] == -1


def test_only_the_first_n_are_ranked():
    full, first = add_similarity(catalogue(), 0), add_similarity(catalogue(), 0, n=3)
    assert sorted(first["similarity_rank"])[-4:] == [0, 1, 2, 3]
    kept = first["similarity_rank"] >= 0
    assert np.array_equal(first["similarity_rank"][kept], full["similarity_rank"][kept])
    assert add_similarity(catalogue(), 0, n=1000)["similarity_rank"].max() == 11


@pytest.mark.parametrize("name", ["", " ", 5, None])
def test_what_is_no_name_of_a_column(name):
    with pytest.raises(TypeError, match="is no name of a column; give text"):
        add_similarity(catalogue(), 0, name=name)


def test_one_row():
    result = add_similarity(catalogue(1), 0)
    assert result["similarity_rank"].tolist() == [0]


def test_columns_are_not_overwritten_unasked():
    once = add_similarity(catalogue(), 0)
    with pytest.raises(ValueError, match="already has 'similarity'"):
        add_similarity(once, 1)
    with pytest.raises(ValueError, match="already has 'similarity'"):  # before anything is fetched
        add_similarity(once, SkyCoord(200, 60, unit="deg"))
    again = add_similarity(once, 1, overwrite=True)
    assert again["similarity_rank"][1] == 0
    assert "like_one" in add_similarity(once, 1, name="like_one").colnames


@pytest.mark.parametrize(
    ("query", "error", "message"),
    [
        (99, ValueError, "row .* asked for, but the catalogue has 12 rows"),
        (np.zeros(12, bool), ValueError, "names no galaxy"),
        (np.zeros(5, bool), ValueError, "mask of examples must have 12 elements"),
        ([], ValueError, "names no galaxy"),
        (np.ones(4), ValueError, "query has 4 dimensions, the catalogue's embeddings have 5"),
        (np.full(5, np.nan), ValueError, "must be finite"),
        (np.zeros((0, 5)), ValueError, "names no galaxy"),
        (
            "no_such_column",
            ValueError,
            "neither a column of the catalogue, nor the name of a galaxy in it, nor a file, nor a position such",
        ),
        ((150.1, 2.2), ValueError, r"taken for an embedding, but .* a position has units, such as \(150.1"),
        ((150.1 * u.deg, 2.2), TypeError, r"two angles with units, such as \(150.1 \* u.deg"),
        ((150.1 * u.deg, 2.2 * u.m), TypeError, "declination must be an angle with its unit"),
        (("10h00m00s", "+95d00m00s"), ValueError, "neither a column"),
        ("150.1 95", ValueError, r"declination 95 deg is outside -90 to 90"),
        ("ra", TypeError, "must be boolean"),
        (object(), TypeError, "the query must be"),
        (None, TypeError, "the query must be"),
        (SkyCoord([], [], unit="deg"), ValueError, "SkyCoord is empty"),
        (SkyCoord(np.nan, 0, unit="deg"), ValueError, "not a finite number"),
        (SkyCoord(1, 0, unit="deg", frame="altaz"), ValueError, "cannot transform altaz"),
        (2, ValueError, "row \\[2\\] has no embedding \\(cutout_status no_coverage\\)"),
    ],
)
def test_bad_queries(query, error, message):
    cat = catalogue()
    cat["embedding"][2] = np.nan
    cat["cutout_status"] = ["ok", "ok", "no_coverage"] + ["ok"] * 9
    with pytest.raises(error, match=message):
        add_similarity(cat, query)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_separation": 5}, TypeError, "with its unit"),
        ({"min_separation": 30}, TypeError, "with its unit"),
        ({"min_separation": -1 * u.deg}, ValueError, "from 0 to 180"),
        ({"min_separation": 5 * u.m}, TypeError, "with its unit"),
        ({"within": 3}, TypeError, "within must be"),
        ({"combine": "worst"}, ValueError, "combine='worst' is not one of 'contrast', 'mean', 'best'"),
        ({"metric": "manhattan"}, ValueError, "metric='manhattan' is not one of 'cosine', 'euclidean'"),
        ({"combine": "contrast", "metric": "euclidean"}, ValueError, "is for cosines"),
        ({"weights": [1, 2]}, ValueError, "one number for each of the 1 examples"),
        ({"weights": [-1]}, ValueError, "not negative"),
        ({"weights": [1], "combine": "best"}, ValueError, "weights have no meaning"),
        ({"n": 0}, ValueError, "n must be a whole number"),
        ({"embedding": "vector"}, ValueError, "no column 'vector'; call add_embeddings"),
        ({"embedding": "ra"}, ValueError, "must have shape"),
        ({"embedding": ["ra", "dec"]}, TypeError, r"one column of vectors, not .*np\.stack"),
        ({"whiten": True}, ValueError, "needs components"),
        ({"components": 6}, ValueError, "components must be a whole number from 1 to 5"),
        ({"coords": ("alpha", "dec")}, ValueError, "'alpha' of coords is not a column"),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        add_similarity(catalogue(), 0, **options)


def test_an_empty_table_names_no_galaxy():
    with pytest.raises(ValueError, match="has 0 rows"):
        add_similarity(catalogue()[:0], 0)


def test_embeddings_of_two_encoders_are_refused():
    first, second = catalogue(seed=1), catalogue(seed=2)
    first["embedding"].info.meta = {"encoders": ["a" * 64]}
    second["embedding"].info.meta = {"encoders": ["b" * 64]}
    with pytest.raises(ValueError, match="mixes embeddings of 2 encoders"):
        add_similarity(vstack([first, second]), 0)
    assert len(add_similarity(vstack([first, first]), 0)) == 24


def test_a_table_by_another_encoder_is_refused():
    first, second = catalogue(seed=1), catalogue(seed=2)
    first.meta["GZRENCD"], second.meta["GZRENCD"] = "a" * 64, "b" * 64
    with pytest.raises(ValueError, match="embedded by encoder bbbbbbbbbbbb, the catalogue by aaaaaaaaaaaa"):
        add_similarity(first, second)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**31))
def test_ranks_are_a_permutation_for_any_catalogue(n, d, seed):
    cat = catalogue(n, d, seed=seed)
    result = add_similarity(cat, seed % n)
    assert sorted(result["similarity_rank"]) == list(range(n))
    assert np.abs(result["similarity"]).max() <= 1


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("G7", "It is in column 'My ID': give its row, 1, or call the column 'name'"),
        ("spiral", "2 galaxies have it in column 'kind': give the rows that are meant"),
        ("2", "To mean a row, give the number 2, not text"),
    ],
)
def test_a_text_that_stands_elsewhere_is_told(query, hint):
    columns = {"My ID": ["G3", "G7", "G9"], "kind": ["spiral", "spiral", "ring"], "embedding": np.eye(3)}
    galaxies = Table({"ra": [10.0, 11, 12], "dec": [1.0, 2, 3], **columns})
    with pytest.raises(ValueError, match=re.escape(hint)):
        add_similarity(galaxies, query)
