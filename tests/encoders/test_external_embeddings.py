"""Embeddings that others have published, as columns of a catalogue."""

from contextlib import nullcontext

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, QTable, Table
from pyarrow import parquet

import galzoo_repr as gzr
from galzoo_repr.catalogue import ParquetParts, provenance, read_catalogue, write_catalogue
from galzoo_repr.exceptions import GalzooWarning

N, DIM = 30, 12


def galaxies(n=N):
    rng = np.random.default_rng(0)
    return Table(
        {"id": np.arange(n) * 7 + 10**15, "ra": rng.uniform(0, 360, n), "dec": rng.uniform(-60, 60, n)}
    )


def published(n=N, *, start=0):
    """A table as they are published: the galaxies in another order, features in the order of text."""
    table = galaxies(n)
    vectors = np.random.default_rng(1).normal(size=(n, DIM)).astype("float32")
    order = np.random.default_rng(2).permutation(n)
    for name in sorted(f"feat_{start + i}" for i in range(DIM)):
        table[name] = vectors[:, int(name.removeprefix("feat_")) - start]
    return table[order], vectors


def written(table, path):
    if path.suffix == ".csv":
        table.write(path, format="ascii.csv")
    elif path.suffix == ".parquet":
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.table({name: np.asarray(table[name]) for name in table.colnames}), path)
    else:
        table.write(path)
    return path


@pytest.mark.parametrize("ending", [".parquet", ".fits", ".csv", ".ecsv"])
@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("how", [{"match": "id"}, {"radius": 1 * u.arcsec}])
def test_features_come_in_the_order_of_their_numbers_and_of_the_catalogue(tmp_path, ending, start, how):
    table, vectors = published(start=start)
    file = written(table, tmp_path / f"features{ending}")
    cat = gzr.add_external_embeddings(galaxies(), file, **how)
    assert np.allclose(cat["embedding"], vectors, rtol=1e-6)
    assert cat["embedding"].dtype == np.float32
    assert set(cat["embedding_status"]) == {"ok"}
    assert cat.meta["GZRENC"] == "external: features"
    facts = provenance(cat, "add_external_embeddings")
    assert facts["file"] == f"features{ending}"
    assert len(facts["file_sha256"]) == 64
    assert facts["columns"][:3] == [f"feat_{start + i}" for i in range(3)]
    assert len(facts["columns"]) == DIM


@pytest.mark.parametrize("give", [Table, QTable])
def test_a_table_will_do_and_the_class_stays(give):
    table, vectors = published()
    cat = gzr.add_external_embeddings(give(galaxies()), table, match="id", encoder="pca", name="features")
    assert type(cat) is give
    assert np.array_equal(cat["features"], vectors)
    assert cat.meta["GZRENC"] == "external: pca"
    assert cat["features"].info.meta["encoder"] == "external: pca"


def test_a_bare_skycoord_is_a_catalogue():
    table, vectors = published()
    cat = gzr.add_external_embeddings(
        SkyCoord(galaxies()["ra"], galaxies()["dec"], unit="deg"), table, radius="1 arcsec", encoder="pca"
    )
    assert np.array_equal(cat["embedding"], vectors)


def test_rows_without_a_match_have_none_and_say_so():
    table, _ = published()
    mine = galaxies()
    mine["id"][:2] = [5, 6]
    with pytest.warns(GalzooWarning, match="2 of 30 rows have no embedding: no_match 2"):
        cat = gzr.add_external_embeddings(mine, table, match="id", encoder="pca")
    assert np.isnan(cat["embedding"][:2]).all()
    assert np.isfinite(cat["embedding"][2:]).all()
    assert cat["embedding_status"][:3].tolist() == ["no_match", "no_match", "ok"]


def test_positions_that_are_missing_or_far_have_a_status():
    table, _ = published()
    mine = galaxies()
    mine["ra"][0] = np.nan
    mine["dec"][1] += 0.01
    with pytest.warns(GalzooWarning, match="no_match 1"):
        cat = gzr.add_external_embeddings(mine, table, radius=1 * u.arcsec, encoder="pca")
    assert cat["embedding_status"][:3].tolist() == ["bad_position", "no_match", "ok"]
    assert cat["embedding_separation"].unit == u.arcsec
    assert np.isnan(cat["embedding_separation"][:2]).all()
    assert cat["embedding_separation"][2] < 0.01


def test_of_several_within_the_radius_the_nearest_is_taken_and_it_is_said():
    table, vectors = published()
    near = table[table["id"] == galaxies()["id"][4]]
    near["dec"] += 0.6 / 3600
    near["feat_0"] = 99.0
    from astropy.table import vstack

    with pytest.warns(GalzooWarning, match=r"1 row.* several .* within 1.0 arcsec: the nearest"):
        cat = gzr.add_external_embeddings(
            galaxies(), vstack([near, table]), radius=1 * u.arcsec, encoder="pca"
        )
    assert np.array_equal(cat["embedding"], vectors)
    assert cat["embedding_status"][4] == "nearest_of_several"


def test_neighbours_that_take_one_galaxy_are_said():
    table, vectors = published()
    mine = galaxies()
    mine["ra"][0], mine["dec"][0] = mine["ra"][1], mine["dec"][1] + 0.5 / 3600
    with pytest.warns(GalzooWarning, match=r"1 row took the galaxy .* another row took too"):
        cat = gzr.add_external_embeddings(mine, table, radius=1 * u.arcsec, encoder="pca")
    assert np.array_equal(cat["embedding"][0], vectors[1])


@pytest.mark.parametrize("different", [True, False])
def test_an_id_that_the_file_has_twice(different):
    from astropy.table import vstack

    table, vectors = published()
    again = table[table["id"] == galaxies()["id"][3]]
    if different:
        again["feat_0"] += 1
        with pytest.warns(GalzooWarning, match="duplicate_id 1"):
            cat = gzr.add_external_embeddings(galaxies(), vstack([again, table]), match="id", encoder="pca")
        assert cat["embedding_status"][3] == "duplicate_id"
        assert np.isnan(cat["embedding"][3]).all()
    else:
        cat = gzr.add_external_embeddings(galaxies(), vstack([again, table]), match="id", encoder="pca")
        assert np.array_equal(cat["embedding"], vectors)


@pytest.mark.parametrize("bad", [np.nan, np.inf, "masked", 1e300])
def test_features_that_are_no_numbers_leave_their_row_out(bad):
    table, _ = published()
    seventh = np.asarray(table["id"] == galaxies()["id"][7])
    if bad == "masked":
        table["feat_5"] = MaskedColumn(table["feat_5"], mask=seventh)
    else:
        table["feat_5"] = np.where(seventh, bad, np.asarray(table["feat_5"], dtype=float))
    with pytest.warns(GalzooWarning, match="not_finite 1"):
        cat = gzr.add_external_embeddings(galaxies(), table, match="id", encoder="pca")
    assert cat["embedding_status"][7] == "not_finite"
    assert np.isnan(cat["embedding"][7]).all()


@pytest.mark.parametrize(
    "as_given",
    [lambda ids: ids.astype(str), lambda ids: Column([f" {i} " for i in ids]), lambda ids: ids.astype("u8")],
)
def test_ids_are_matched_in_whatever_form_they_are(as_given):
    table, vectors = published()
    mine = galaxies()
    mine["objid"] = as_given(np.asarray(mine["id"]))
    cat = gzr.add_external_embeddings(mine, table, match=("objid", "id"), encoder="pca")
    assert np.array_equal(cat["embedding"], vectors)


def test_ids_that_real_numbers_cannot_hold_are_refused():
    table, _ = published()
    table["id"] = table["id"].astype(float) * 100
    with pytest.raises(ValueError, match=r"real numbers.*digits"):
        gzr.add_external_embeddings(galaxies(), table, match="id", encoder="pca")


def test_ids_of_another_catalogue_are_refused():
    table, _ = published()
    table["id"] += 1
    with pytest.raises(ValueError, match=r"none of the 30 .*id.* in the file"):
        gzr.add_external_embeddings(galaxies(), table, match="id", encoder="pca")


def test_ids_that_coincide_by_chance_are_found_out_by_the_positions():
    table, _ = published()
    mine = galaxies()
    mine["id"], table["id"] = np.arange(N), np.arange(N)
    with pytest.raises(ValueError, match=r"same id .*apart on the sky"):
        gzr.add_external_embeddings(mine, table, match="id", encoder="pca")


def test_one_id_of_another_place_is_a_status():
    table, _ = published()
    table["dec"][table["id"] == galaxies()["id"][9]] += 0.5
    with pytest.warns(GalzooWarning, match="other_position 1"):
        cat = gzr.add_external_embeddings(galaxies(), table, match="id", encoder="pca")
    assert cat["embedding_status"][9] == "other_position"


def test_nothing_near_is_an_error_that_says_how_far():
    table, _ = published()
    table["dec"] += 1e-2
    with pytest.raises(ValueError, match=r"nearest.*36.* arcsec away"):
        gzr.add_external_embeddings(galaxies(), table, radius=1 * u.arcsec, encoder="pca")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, "match= .*radius= "),
        ({"match": "name"}, ValueError, "no column 'name'"),
        ({"match": ("id", "objid")}, ValueError, "file has no column 'objid'"),
        ({"match": 3}, TypeError, "match must be"),
        ({"radius": 1}, (TypeError, u.UnitsError), "radius"),
        ({"radius": 0 * u.arcsec}, ValueError, "radius must be one angle above 0"),
        ({"radius": -1 * u.arcsec}, ValueError, "radius must be one angle above 0"),
        ({"match": "id", "columns": "pca_*"}, ValueError, r"no column 'pca_\*'.*feat_\*"),
        ({"match": "id", "columns": ["feat_0", "feat_77"]}, ValueError, "no column 'feat_77'"),
        ({"match": "id", "columns": ["feat_0", "feat_0"]}, ValueError, "more than once"),
        ({"match": "id", "columns": []}, ValueError, "columns"),
        ({"match": "id", "columns": 4}, TypeError, "columns must"),
        ({"match": "id", "encoder": ""}, ValueError, "encoder"),
        ({"match": "id", "name": "ra"}, ValueError, "already has 'ra'"),
    ],
)
def test_what_makes_no_sense_is_refused(options, error, message):
    table, _ = published()
    with pytest.raises(error, match=message):
        gzr.add_external_embeddings(galaxies(), table, **{"encoder": "pca", **options})


def test_a_table_needs_the_name_of_its_encoder():
    with pytest.raises(ValueError, match="encoder="):
        gzr.add_external_embeddings(galaxies(), published()[0], match="id")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        gzr.add_external_embeddings(galaxies(), tmp_path / "nowhere.parquet", match="id")


def test_numbers_that_are_left_out_are_said_and_other_columns_refused():
    table, _ = published()
    table.remove_column("feat_3")
    with pytest.warns(GalzooWarning, match="feat_3"):
        cat = gzr.add_external_embeddings(galaxies(), table, match="id", encoder="pca")
    assert cat["embedding"].shape == (N, DIM - 1)
    table["feat_version"] = 2
    with pytest.raises(ValueError, match="feat_version"):
        gzr.add_external_embeddings(galaxies(), table, match="id", encoder="pca")


def test_text_is_no_feature():
    table, _ = published()
    table.replace_column("feat_2", Column(["high"] * N))
    with pytest.raises(TypeError, match=r"feat_2.*numbers"):
        gzr.add_external_embeddings(galaxies(), table, match="id", encoder="pca")


def test_one_column_of_vectors_will_do(tmp_path):
    table, vectors = published()
    order = np.array([np.flatnonzero(galaxies()["id"] == one)[0] for one in table["id"]])
    table["vector"] = vectors[order]
    write_catalogue(table["id", "vector"], tmp_path / "features.parquet")
    cat = gzr.add_external_embeddings(galaxies(), tmp_path / "features.parquet", match="id", columns="vector")
    assert np.array_equal(cat["embedding"], vectors)


def test_similarity_anomalies_and_heads_work_without_an_image():
    table, vectors = published(200)
    cat = gzr.add_external_embeddings(galaxies(200), table, match="id", encoder="pca")
    assert len(gzr.find_similar(cat, 3, n=5)) == 5
    cat["ring"] = vectors[:, 0] > 0
    model = gzr.finetune(cat, "ring", members=2)
    assert model.card["encoder"]["name"] == "external: pca"
    assert "ring_probability" in gzr.add_predictions(cat, model).colnames
    cat["interest"] = np.where(np.arange(200) < 50, vectors[:, 1], np.nan)
    assert np.isfinite(gzr.add_anomaly_scores(cat)["anomaly_score"]).all()


def test_files_of_one_encoder_are_compared_and_others_refused(tmp_path):
    table, vectors = published()
    first = gzr.add_external_embeddings(galaxies(), table, match="id", encoder="pca")
    second = gzr.add_external_embeddings(galaxies(), table[::-1], match="id", encoder="pca")
    assert gzr.find_similar(first, second[4:5], n=1, include_query=True)["row"][0] == 4
    third = gzr.add_external_embeddings(galaxies(), table, match="id", encoder="others")
    with pytest.raises(ValueError, match="same encoder"):
        gzr.find_similar(first, third[4:5])
    first["ring"] = vectors[:, 0] > 0
    with pytest.raises(ValueError, match="external: pca"):
        gzr.add_predictions(third, gzr.finetune(first, "ring", members=2))


def test_where_an_image_or_an_encoder_is_needed_it_says_so():
    table, vectors = published()
    cat = gzr.add_external_embeddings(galaxies(), table, match="id", encoder="pca")
    with pytest.raises(ValueError, match=r"read from a file.*no encoder"):
        gzr.find_similar(cat, np.zeros((3, 64, 64)))
    with pytest.raises(ValueError, match=r"read from a file.*no encoder"):
        gzr.find_similar(cat, SkyCoord(1.0, 80.0, unit="deg"))
    cat["ring"] = vectors[:, 0] > 0
    model = gzr.finetune(cat, "ring", members=2)
    with pytest.raises(FileNotFoundError, match=r"read from a file.*no encoder"):
        gzr.add_predictions(galaxies(), model)
    with pytest.raises((ValueError, FileNotFoundError), match=r"read from a file.*no encoder"):
        gzr.finetune(cat, "ring", depth=1, images=[np.zeros((64, 64, 3))] * N)
    with pytest.raises(ValueError, match=r"read from a file.*no encoder"):
        gzr.add_embeddings(galaxies(), encoder="external: pca", images=[np.zeros((64, 64, 3))] * N)


@pytest.mark.parametrize("ending", [".parquet", ".fits", ".ecsv", ".vot"])
def test_it_is_kept_in_files(tmp_path, ending):
    table, vectors = published()
    mine = galaxies()
    mine["id"][0] = 5
    with pytest.warns(GalzooWarning, match="no_match 1"):
        cat = gzr.add_external_embeddings(mine, table, match="id", encoder="pca")
    write_catalogue(cat, tmp_path / f"cat{ending}")
    again = read_catalogue(tmp_path / f"cat{ending}")
    assert np.array_equal(again["embedding"][1:], vectors[1:])
    assert again.meta["GZRENC"] == "external: pca"
    with pytest.raises(ValueError, match=r"read from a file.*no encoder"):
        gzr.find_similar(again, np.zeros((3, 64, 64)))


def test_an_empty_catalogue_stays_empty():
    table, _ = published()
    cat = gzr.add_external_embeddings(galaxies()[:0], table, match="id", encoder="pca")
    assert cat["embedding"].shape == (0, DIM)


def test_ids_in_single_precision_may_be_others():
    cat, file = Table({"id": [20_000_001, 20_000_004]}), Table({"feat_0": [1.0, 2.0], "feat_1": [3.0, 4.0]})
    file["id"] = np.array([20_000_002, 20_000_004], dtype="float32")
    with pytest.raises(ValueError, match="ids of the file are real numbers, which hold not all digits"):
        gzr.add_external_embeddings(cat, file, match="id", encoder="pca")
    file["id"] = np.array([1, 2], dtype="float32")
    cat["id"] = [2, 1]
    cat = gzr.add_external_embeddings(cat, file, match="id", encoder="pca")
    assert cat["embedding"].tolist() == [[2.0, 4.0], [1.0, 3.0]]


@pytest.mark.parametrize("kind", [int, float])
def test_a_number_for_no_id_is_no_id(kind):
    table, vectors = published()
    cat = galaxies()
    for one in (cat, table):
        one["id"] = np.where(np.asarray(one["id"]) == galaxies()["id"][4], -1, one["id"]).astype(kind)
    with pytest.warns(GalzooWarning, match="no_id 1"):
        cat = gzr.add_external_embeddings(cat, table, match="id", encoder="pca")
    assert cat["embedding_status"][4] == "no_id"
    assert np.array_equal(np.delete(cat["embedding"], 4, 0), np.delete(vectors, 4, 0))


def test_features_that_are_all_one_number_leave_their_row_out():
    table, _ = published()
    seventh = np.flatnonzero(table["id"] == galaxies()["id"][7])[0]
    for i in range(DIM):
        table[f"feat_{i}"][seventh] = -999
    with pytest.warns(GalzooWarning, match="not_finite 1"):
        cat = gzr.add_external_embeddings(galaxies(), table, match="id", encoder="pca")
    assert cat["embedding_status"][7] == "not_finite"


class TestParquetInParts:
    """Files of more rows than are read at once."""

    ROWS = 150_000

    @pytest.fixture
    def file(self, tmp_path):
        rng = np.random.default_rng(5)
        features = {f"feat_{i}": rng.normal(size=self.ROWS).astype("f4") for i in range(10)}
        columns = {
            "id": np.arange(self.ROWS)[::-1],
            "ra": np.linspace(0, 359, self.ROWS),
            "dec": np.zeros(self.ROWS),
        }
        others = {f"pca_{i}": np.zeros(self.ROWS) for i in range(9)}
        path = tmp_path / "features.parquet"
        parquet.write_table(pa.table({**columns, **features, **others}), path, row_group_size=40_000)
        return path

    @pytest.mark.parametrize("how", [{"match": "id"}, {"radius": "1 arcsec"}])
    def test_each_galaxy_has_its_own_features(self, file, how):
        whole = read_catalogue(file)
        rows = np.random.default_rng(1).permutation(self.ROWS)[:500]
        mine = whole[rows]["id", "ra", "dec"]
        cat = gzr.add_external_embeddings(mine, file, **how)
        by_table = gzr.add_external_embeddings(mine, whole, encoder="features", **how)
        assert set(cat["embedding_status"]) == {"ok"}
        np.testing.assert_array_equal(cat["embedding"], by_table["embedding"])
        np.testing.assert_array_equal(cat["embedding"][:, 3], whole["feat_3"][rows])
        assert cat["embedding"].info.meta == by_table["embedding"].info.meta
        assert provenance(cat, "add_external_embeddings")["file_rows"] == self.ROWS

    def test_all_of_them_are_never_in_memory(self, file):
        most = []

        class Watched(ParquetParts):
            def table(self, columns):
                assert not [name for name in columns if name.startswith(("feat", "pca"))]
                return super().table(columns)

            def parts(self, columns):
                for start, part in super().parts(columns):
                    most.append(len(part))
                    yield start, part

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("galzoo_repr.catalogue._parquet_parts.ParquetParts", Watched)
            gzr.add_external_embeddings(Table({"id": [3, 70_000]}), file, match="id")
        assert max(most) <= 65_536
        assert sum(most) == self.ROWS


@pytest.mark.parametrize("missing", [slice(0, 1500), slice(1000, 1001), slice(0, 0)])
def test_vectors_in_parquet_may_be_missing(tmp_path, missing):
    vectors = np.random.default_rng(0).normal(size=(2000, 5))
    cells = vectors.tolist()
    cells[missing] = [None] * len(cells[missing])
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"id": np.arange(2000), "vector": cells}), path)
    mine = Table({"id": np.arange(2000)[::-1]})
    gaps = np.zeros(2000, bool)
    gaps[missing] = True
    if missing == slice(0, 1500):  # the first rows show no vectors
        with pytest.raises((ValueError, TypeError)):
            gzr.add_external_embeddings(mine, path, match="id", columns="feat_*")
    with pytest.warns(GalzooWarning, match="not_finite") if gaps.any() else nullcontext():
        cat = gzr.add_external_embeddings(mine, path, match="id", columns="vector")
    np.testing.assert_allclose(cat["embedding"][~gaps[::-1]], vectors[::-1][~gaps[::-1]], rtol=1e-6)
    assert set(cat["embedding_status"][gaps[::-1]]) == ({"not_finite"} if gaps.any() else set())


def test_vectors_of_several_lengths_in_parquet_are_refused(tmp_path):
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"id": [1, 2, 3], "vector": [[1.0, 2.0], [1.0], [2.0, 3.0]]}), path)
    with pytest.raises((ValueError, TypeError), match=r"holds no numbers|several lengths"):
        gzr.add_external_embeddings(Table({"id": [1, 2, 3]}), path, match="id", columns="vector")
    with pytest.raises(ValueError, match=r"no column 'objid' of match \(columns: id, vector\)"):
        gzr.add_external_embeddings(Table({"objid": [1]}), path, match="objid", columns="vector")
