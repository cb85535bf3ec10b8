"""By partition, the verbs give what they give for the whole table."""

import shutil
from importlib.util import find_spec
from inspect import signature

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

import galzoo_repr as gzr
from galzoo_repr.catalogue import provenance
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.hats import add_embeddings as add_by_part
from galzoo_repr.hats import from_hats, parts_of_job, to_hats
from galzoo_repr.hats._engine import part_of
from galzoo_repr.hats._ranks import rank_all, rank_file, write_scores

if find_spec("lsdb") is None:
    pytest.skip("the extra [hats] is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def whole(folder):
    return from_hats(folder)


def same(ours, theirs, names):
    for name in names:
        one, other = np.asarray(ours[name]), np.asarray(theirs[name])
        if one.dtype.kind == "f":
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
        else:
            assert np.array_equal(one, other), name


def position(table, row):
    return SkyCoord(table["ra"][row], table["dec"][row], unit="deg")


QUERIES = {
    "row": lambda table: 11,
    "rows": lambda table: [120, 30, 240],
    "last": lambda table: -1,
    "mask": lambda table: np.isin(np.arange(len(table)), [50, 60]),
    "column": lambda table: "chosen",
    "position": lambda table: position(table, 70),
    "text": lambda table: position(table, 71).to_string("decimal", precision=7),
    "name": lambda table: "123",
    "vector": lambda table: np.ones(8),
    "row of a table": lambda table: Table(table[33:35])[0],
}


SIX = {
    "add_cutouts": None,
    "add_embeddings": None,
    "add_predictions": None,
    "add_similarity": lambda table, **how: gzr.add_similarity(table, 11, **how),
    "find_similar": lambda table, **how: gzr.find_similar(
        table, 11, **{k: v for k, v in how.items() if k != "out"}
    ),
    "add_anomaly_scores": lambda table, **how: gzr.add_anomaly_scores(table, **how),
}


@pytest.mark.parametrize("verb", SIX)
@pytest.mark.parametrize("shown", [False, True])
def test_every_verb_shows_a_bar_or_none(verb, shown, folder, whole, tmp_path, capsys):
    assert signature(getattr(gzr, verb)).parameters["progress"].default is True
    if (call := SIX[verb]) is None:  # which are called so all over these tests
        return
    assert len(call(whole, progress=shown))
    capsys.readouterr()
    call(folder, out=tmp_path / "out", progress=shown)
    assert ("%" in capsys.readouterr().err) == shown


@pytest.mark.parametrize("form", QUERIES)
def test_similarity_is_that_of_the_whole(form, folder, whole, tmp_path):
    query = QUERIES[form](whole)
    ours = from_hats(gzr.add_similarity(folder, query, out=tmp_path / "out"))
    same(ours, gzr.add_similarity(whole, query), ["id", "similarity", "similarity_rank"])
    names = ["row", "id", "similarity_rank", "similarity", "separation"]
    ours, theirs = gzr.find_similar(folder, query, 30), gzr.find_similar(whole, query, 30)
    assert ours.colnames == theirs.colnames
    same(ours, theirs, names)


@pytest.mark.parametrize(
    "options",
    [
        {"negatives": [3, 200]},
        {"components": 4},
        {"components": 4, "whiten": True, "metric": "euclidean"},
        {"combine": "best", "metric": "euclidean"},
        {"combine": "mean", "weights": [1.0, 2.0, 0.5]},
        {"within": 60 * u.deg},
    ],
)
def test_so_it_is_with_options(options, folder, whole, tmp_path):
    query = [120, 30, 240]
    ours = from_hats(gzr.add_similarity(folder, query, n=50, out=tmp_path / "out", **options))
    same(ours, gzr.add_similarity(whole, query, n=50, **options), ["similarity", "similarity_rank"])
    for more in ({}, {"min_separation": 15 * u.deg}, {"include_query": True}):
        ours = gzr.find_similar(folder, query, 40, **options, **more)
        same(ours, gzr.find_similar(whole, query, 40, **options, **more), ["row", "similarity", "separation"])


def test_interest_is_that_of_the_whole(folder, whole, tmp_path):
    ours = from_hats(gzr.add_anomaly_scores(folder, out=tmp_path / "out"))
    theirs = gzr.add_anomaly_scores(whole)
    same(ours, theirs, ["anomaly_score", "anomaly_score_std", "anomaly_rank", "anomaly_unlike"])
    assert provenance(ours, "add_anomaly_scores")["n_rated"] == 54


def test_predictions_are_those_of_the_whole(folder, whole, tmp_path):
    model = gzr.finetune(whole, "ring", members=2)
    model.save(tmp_path / "model")
    theirs = gzr.add_predictions(whole, model)
    names = [name for name in theirs.colnames if name.startswith("ring_")]
    for given, out in ((model, "a"), (tmp_path / "model", "b")):
        same(from_hats(gzr.add_predictions(folder, given, out=tmp_path / out)), theirs, names)


def test_what_a_partition_does_not_touch_is_kept(folder, whole, galaxies, tmp_path):
    ours = from_hats(gzr.add_similarity(folder, 11, out=tmp_path / "out"))
    assert ours["redshift"].mask.sum() == galaxies["redshift"].mask.sum()
    assert ours["redshift"].info.description == "from lines"
    assert ours["similarity"].info.description == gzr.add_similarity(whole, 11)["similarity"].info.description


def test_embedding_goes_on_where_it_was(pictured, small_encoder, tmp_path):
    with pytest.warns(GalzooWarning, match=r"1 of .* rows have no embedding"):
        out = gzr.add_embeddings(
            pictured, encoder=small_encoder, images="file", out=tmp_path / "out", embedding_store=False
        )
    ours = from_hats(out)
    with pytest.warns(GalzooWarning, match="1 of 60 rows"):
        theirs = gzr.add_embeddings(
            from_hats(pictured), encoder=small_encoder, images="file", embedding_store=False, progress=False
        )
    same(ours, theirs, ["embedding", "cutout_status"])
    assert provenance(ours, "add_embeddings")["summary"] == {"ok": 59, "missing": 1}
    assert ours["embedding"].info.meta["encoders"] == theirs["embedding"].info.meta["encoders"]
    files = sorted(out.rglob("Npix=*.parquet"))
    times = {file: file.stat().st_mtime_ns for file in files}
    (out / "hats.properties").unlink()
    files[2].unlink()
    assert len(parts_of_job(out).missing) == 1
    with pytest.raises(ValueError, match="is not finished"):
        from_hats(out)
    gzr.add_embeddings(pictured, encoder=small_encoder, images="file", out=out, progress=False)
    assert [file for file in files if file.stat().st_mtime_ns != times[file]] == [files[2]]
    same(from_hats(out), theirs, ["embedding"])


@pytest.mark.filterwarnings("ignore:.*rows have no embedding")
def test_parts_together_are_the_whole(pictured, small_encoder, tmp_path):
    call = {"encoder": str(small_encoder), "images": "file", "out": tmp_path / "out", "progress": False}
    for which in (3, 1, 2):
        assert parts_left(tmp_path / "out") != 0
        add_by_part(pictured, part=(which, 3), **call)
    assert parts_left(tmp_path / "out") == 0
    assert len(from_hats(tmp_path / "out")) == 60


def parts_left(out):
    return len(parts_of_job(out).missing) if out.exists() else None


@pytest.mark.filterwarnings("ignore:.*rows have no embedding")
def test_a_partition_that_fails_is_noted_and_tried_again(pictured, small_encoder, tmp_path):
    broken = shutil.copytree(pictured, tmp_path / "broken")
    bad = sorted(broken.rglob("Npix=*.parquet"))[1]
    whole = bad.read_bytes()
    bad.write_bytes(b"PAR1" + whole[4:100])
    call = {"encoder": small_encoder, "images": "file", "out": tmp_path / "out", "progress": False}
    with pytest.warns(GalzooWarning, match=r"are missing, 1 of them failed .*cannot be read"):
        gzr.add_embeddings(broken, **call)
    [reason] = parts_of_job(tmp_path / "out").failed.values()
    assert "cannot be read" in reason
    bad.write_bytes(whole)
    gzr.add_embeddings(broken, **call)
    assert parts_of_job(tmp_path / "out").failed == {}
    assert len(from_hats(tmp_path / "out")) == 60


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda f, t: gzr.add_embeddings(f), ValueError, "out= is missing"),
        (lambda f, t: gzr.add_embeddings(f, out=f, name="new"), ValueError, "is the catalogue itself"),
        (lambda f, t: gzr.add_embeddings(t, out=t / "x"), FileNotFoundError, "is no HATS catalogue"),
        (lambda f, t: gzr.add_similarity(f, 1, out=t / "no" / "x"), FileNotFoundError, "there is no folder"),
        (lambda f, t: gzr.add_embeddings(f, out=t / "x", images=["a.png"]), ValueError, "name of a column"),
        (lambda f, t: gzr.find_similar(f, 10_000), ValueError, "has 400 rows"),
        (lambda f, t: gzr.find_similar(f, "no such"), ValueError, "neither a column"),
        (lambda f, t: gzr.find_similar(f, 5, tags=["a"]), ValueError, "tags= needs"),
        (
            lambda f, t: gzr.add_similarity(f, 5, out=t / "x", min_separation=1 * u.deg),
            ValueError,
            "min_separation",
        ),
        (lambda f, t: gzr.add_anomaly_scores(f, "z", out=t / "x"), ValueError, "no column 'z'"),
        (
            lambda f, t: gzr.add_similarity(Table({"a": [1]}), 0, out=t / "x"),
            ValueError,
            "for HATS catalogues",
        ),
    ],
)
def test_wrong_calls_are_refused_and_leave_nothing(call, error, match, folder, tmp_path):
    with pytest.raises(error, match=match):
        call(folder, tmp_path)
    assert not (tmp_path / "x").exists()


def test_another_job_keeps_its_folder(folder, tmp_path):
    gzr.add_similarity(folder, 5, out=tmp_path / "out")
    with pytest.raises(ValueError, match=r"query=.* there"):
        gzr.add_similarity(folder, 6, out=tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("precious")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match="is not the result"):
            gzr.add_similarity(folder, 5, out=tmp_path / "mine", overwrite=overwrite)
    assert (tmp_path / "mine" / "notes.txt").exists()


def test_embeddings_of_two_encoders_are_not_compared(galaxies, tmp_path):
    from galzoo_repr.catalogue import columns_beside
    from galzoo_repr.hats._folder import HatsFolder, write_partition

    folder = to_hats(galaxies, tmp_path / "mixed", max_rows=60)
    catalogue = HatsFolder.open(folder)
    part = from_hats(folder)[["embedding"]][: catalogue.lengths[1]]
    part["embedding"].info.meta = {"encoders": ["xyz"]}
    arrow = catalogue.read(catalogue.pixels[1])
    write_partition(columns_beside(arrow, part), catalogue.path_of(catalogue.pixels[1]))
    for call in (
        lambda: gzr.find_similar(folder, 5),
        lambda: gzr.add_anomaly_scores(folder, out=tmp_path / "a"),
    ):
        with pytest.raises(ValueError, match="encoder"):
            call()


@pytest.mark.parametrize("piece", [10, 64, 10_000])
def test_ranks_are_those_of_one_sort(piece, tmp_path):
    random = np.random.default_rng(0)
    parts = [random.integers(0, 40, size).astype(float) for size in (50, 0, 200, 3)]
    parts[0][::7] = np.nan
    paths = [tmp_path / f"{i}.npy" for i in range(len(parts))]
    for path, part in zip(paths, parts, strict=True):
        write_scores(path, part)
    rank_all(paths, [len(part) for part in parts], piece=piece)
    scores = np.concatenate(parts)
    expected = np.full(len(scores), -1)
    scored = np.flatnonzero(~np.isnan(scores))
    expected[scored[np.argsort(-scores[scored], kind="stable")]] = np.arange(1, len(scored) + 1)
    assert np.array_equal(np.concatenate([np.load(rank_file(path)) for path in paths]), expected)


def test_parts_cover_all_once():
    pixels = list(range(23))
    for of in (1, 4, 23, 40):
        assert [pixel for which in range(1, of + 1) for pixel in part_of(pixels, (which, of))] == pixels
    with pytest.raises(ValueError, match="from 1 to 4"):
        part_of(pixels, (5, 4))


@pytest.mark.parametrize("part", [(1.5, 3), ("1", "3"), (1,), "1/3", (True, 3), 3])
def test_a_part_is_two_whole_numbers(part):
    with pytest.raises(TypeError, match="part must be two whole numbers"):
        part_of("abc", part)


@pytest.mark.parametrize("part", [(0, 3), (4, 3), (1, 0)])
def test_a_part_is_one_of_those_there_are(part):
    with pytest.raises(ValueError, match="part must be one"):
        part_of("abc", part)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_a_corner_of_a_catalogue_is_not_taken_for_hours(folder):
    import lsdb

    corner = lsdb.open_catalog(str(folder)).query("ra < 20")
    assert len(gzr.find_similar(corner, 0, 25)) == 25
