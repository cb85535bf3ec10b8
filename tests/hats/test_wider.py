"""What was once of one table alone: tags, known galaxies first, thinning, unrated catalogues, parts, remote folders."""

from importlib.util import find_spec

import numpy as np
import pytest
from astropy import units as u

import galzoo_repr as gzr
from galzoo_repr.anomaly import fit_interest
from galzoo_repr.hats import HatsFolder, add_anomaly_scores, add_similarity, from_hats, parts_of_job, to_hats

if find_spec("lsdb") is None:
    pytest.skip("the extra [hats] is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def tagged(galaxies, tmp_path_factory):
    table = galaxies.copy()
    words = np.array(["", "ring", "ring, #merger", "spiral; ring, ring", "none"])
    table["tags"] = words[np.random.default_rng(4).integers(0, 5, len(table))]
    return to_hats(table, tmp_path_factory.mktemp("tagged") / "survey", max_rows=90)


def same(ours, theirs, names):
    for name in names:
        one, other = np.asarray(ours[name]), np.asarray(theirs[name])
        if one.dtype.kind == "f":
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
        else:
            assert np.array_equal(one, other), name


@pytest.mark.parametrize("tags", [None, ["ring"], ["#Merger", "spiral"]])
def test_tags_are_those_of_the_whole(tags, tagged):
    ours, theirs = (gzr.find_similar(cat, "tags", 8, tags=tags) for cat in (tagged, from_hats(tagged)))
    assert list(ours) == list(theirs)
    for tag in ours:
        same(ours[tag], theirs[tag], ["row", "similarity", "separation"])


@pytest.mark.parametrize(
    ("query", "tags", "match"),
    [("tags", ["bar"], "no galaxy .* has the tag 'bar'"), (5, ["ring"], "needs the name")],
)
def test_tags_that_are_none_are_said(query, tags, match, tagged):
    with pytest.raises(ValueError, match=match):
        gzr.find_similar(tagged, query, tags=tags)


def test_known_galaxies_come_first(folder, tmp_path):
    ours = from_hats(gzr.add_anomaly_scores(folder, known_first=True, out=tmp_path / "out"))
    theirs = gzr.add_anomaly_scores(from_hats(folder), known_first=True)
    same(ours, theirs, ["anomaly_score", "anomaly_rank", "anomaly_unlike"])
    assert ours["anomaly_rank"].info.description == theirs["anomaly_rank"].info.description


@pytest.mark.parametrize("ratings", [None, "interest", "empty"])
def test_what_is_unusual_is_told_while_nothing_is_rated(ratings, galaxies, tmp_path):
    table = galaxies.copy()
    table.remove_column("interest")
    table["empty"] = np.nan
    folder = to_hats(table, tmp_path / "unrated", max_rows=100)
    ours = from_hats(gzr.add_anomaly_scores(folder, ratings, out=tmp_path / "out"))
    theirs = gzr.add_anomaly_scores(from_hats(folder), ratings)
    same(ours, theirs, ["anomaly_score", "anomaly_score_std", "anomaly_rank", "anomaly_unlike"])
    assert ours["anomaly_score"].info.description == theirs["anomaly_score"].info.description
    assert ours.meta["galzoo_repr"]["add_anomaly_scores"]["method"] == "isolation_forest"


def test_a_factor_of_all_neighbours_is_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="cannot be done by partition"):
        gzr.add_anomaly_scores(folder, None, unsupervised="local_outlier_factor", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("query", [11, [120, 30, 240]])
def test_ranks_are_thinned_as_in_the_whole(query, folder, tmp_path):
    apart = {"n": 40, "min_separation": 8 * u.deg}
    ours = from_hats(gzr.add_similarity(folder, query, out=tmp_path / "out", **apart))
    theirs = gzr.add_similarity(from_hats(folder), query, **apart)
    same(ours, theirs, ["similarity", "similarity_rank"])
    records = [table.meta["galzoo_repr"]["add_similarity"] for table in (ours, theirs)]
    assert records[0]["min_separation"] == records[1]["min_separation"]


@pytest.mark.parametrize("verb", ["similarity", "interest", "unusual"])
def test_parts_are_scored_and_then_ranked(verb, folder, tmp_path):
    calls = {
        "similarity": lambda out, **how: add_similarity(folder, [11, 30], out=out, progress=False, **how),
        "interest": lambda out, **how: add_anomaly_scores(folder, out=out, progress=False, **how),
        "unusual": lambda out, **how: add_anomaly_scores(folder, None, out=out, progress=False, **how),
    }
    for which in (2, 1, 3):
        calls[verb](tmp_path / "out", part=(which, 3))
    parts = parts_of_job(tmp_path / "out")
    assert parts.scored == parts.missing
    assert len(parts.missing) == len(HatsFolder.open(folder).pixels)
    ours = from_hats(calls[verb](tmp_path / "out"))
    theirs = from_hats(calls[verb](tmp_path / "whole"))
    same(ours, theirs, [name for name in ours.colnames if name.startswith(("similarity", "anomaly"))])
    with pytest.raises(ValueError, match="from 1 to 3"):
        calls[verb](tmp_path / "third", part=(4, 3))
    assert not (tmp_path / "third").exists()


def test_parts_are_of_the_usual_functions_too(folder, tmp_path):
    for which in (1, 2):
        gzr.add_similarity(folder, 11, out=tmp_path / "out", part=(which, 2))
    assert len(parts_of_job(tmp_path / "out").scored) == len(HatsFolder.open(folder).pixels)
    ours = from_hats(gzr.add_similarity(folder, 11, out=tmp_path / "out"))
    same(ours, gzr.add_similarity(from_hats(folder), 11), ["similarity_rank"])


@pytest.mark.parametrize(
    ("verb", "more"),
    [
        ("add_similarity", {"part": (1, 2)}),
        ("add_anomaly_scores", {"part": (1, 2)}),
        ("add_embeddings", {"max_rate": 2.0}),
        ("add_cutouts", {"part": (1, 2)}),
    ],
)
def test_parts_are_not_of_tables(verb, more, folder):
    given = [11] if verb == "add_similarity" else []
    with pytest.raises(ValueError, match=f"{next(iter(more))}= is for HATS catalogues"):
        getattr(gzr, verb)(from_hats(folder), *given, **more)


def test_a_remote_catalogue_is_read(folder, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/remote", recursive=True)
    address = "memory://remote"
    try:
        here, there = from_hats(folder), from_hats(address)
        assert there.colnames == here.colnames
        same(there, here, ["id", "embedding"])
        same(gzr.find_similar(address, 11, 10), gzr.find_similar(folder, 11, 10), ["row", "similarity"])
        out = gzr.add_similarity(address, 11, out=tmp_path / "out")
        same(from_hats(out), gzr.add_similarity(here, 11), ["similarity_rank"])
        with pytest.raises(ValueError, match="must be a folder on a file system"):
            gzr.add_similarity(folder, 11, out="memory://out")
        with pytest.raises(FileNotFoundError, match=r"there is no folder|no HATS catalogue"):
            from_hats("memory://nowhere")
    finally:
        memory.rm("/remote", recursive=True)


def test_an_address_of_no_kind_is_refused():
    with pytest.raises(ValueError, match="cannot be read"):
        from_hats("nonsense://survey")


@pytest.mark.parametrize("verb", ["add_similarity", "find_similar", "add_anomaly_scores"])
def test_columns_beside_are_of_the_whole(verb, folder, tmp_path):
    more = {} if verb == "find_similar" else {"out": tmp_path / "out"}
    given = [] if verb == "add_anomaly_scores" else [5]
    with pytest.raises(ValueError, match="beside= scales columns by their spread in the whole catalogue"):
        getattr(gzr, verb)(folder, *given, beside={"redshift": 1.0}, **more)
    assert not (tmp_path / "out").exists()


def test_an_interest_reads_columns_beside_the_embeddings(folder, tmp_path):
    table = from_hats(folder)
    table["bright"] = np.arange(len(table)) % 7 / 7.0
    table["interest"] = np.where(np.arange(len(table)) < 40, 5.0 * (table["bright"] < 0.3), np.nan)
    whole = to_hats(table, tmp_path / "survey", max_rows=60)
    model = fit_interest(table, beside={"bright": 1.0})
    ours = from_hats(gzr.add_anomaly_scores(whole, model=model, out=tmp_path / "out"))
    same(ours, gzr.add_anomaly_scores(from_hats(whole), model=model), ["anomaly_score", "anomaly_rank"])


def test_what_is_still_refused_says_what_to_do(folder):
    with pytest.raises(ValueError, match="of one table cannot be used"):
        gzr.find_similar(folder, 5, index=object())
    with pytest.raises(ValueError, match="say how many are wanted"):
        add_similarity(folder, 5, out="never", min_separation=1 * u.deg)
