"""Columns beside the picture: redshifts and magnitudes in similarity, scores and heads."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.cosmology import units as cosmology_units
from astropy.table import MaskedColumn, QTable, Table

import galzoo_repr as gzr
from galzoo_repr import SimilarityIndex
from galzoo_repr.anomaly import InterestModel, fit_interest
from galzoo_repr.catalogue import provenance
from galzoo_repr.exceptions import GalzooWarning

N = 200


def galaxies(n=N):
    rng = np.random.default_rng(0)
    return Table(
        {
            "name": [f"g{i}" for i in range(n)],
            "ra": rng.uniform(0, 360, n),
            "dec": rng.uniform(-60, 60, n),
            "z": rng.lognormal(-2, 0.5, n),
            "mag_r": rng.normal(17, 1, n),
            "embedding": rng.normal(size=(n, 16)).astype("float32"),
        }
    )


def robust(values):
    centre = np.nanmedian(values)
    return (values - centre) / (1.4826 * np.nanmedian(np.abs(values - centre)))


def expected(cat, row, beside):
    """The documented formula."""
    vectors = np.asarray(cat["embedding"], float)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    result = unit @ unit[row]
    for name, weight in beside.items():
        scaled = robust(np.ma.filled(np.ma.asarray(cat[name], float), np.nan))
        less = 1 - np.exp(-((scaled - scaled[row]) ** 2) / 2)
        result -= weight * np.where(np.isfinite(less), less, np.nanmean(less))
    return result


@pytest.mark.parametrize("beside", [{"z": 0.5}, {"z": 0.1, "mag_r": 2.0}])
def test_similarity_is_less_where_the_columns_differ(beside):
    cat = galaxies()
    found = gzr.add_similarity(cat, 3, beside=beside)
    assert np.allclose(found["similarity"], expected(cat, 3, beside), atol=1e-6)
    assert found["similarity"][3] == pytest.approx(1)
    facts = provenance(found, "add_similarity")["beside"]
    assert {name: facts[name]["weight"] for name in facts} == beside
    assert facts["z"]["centre"] == pytest.approx(np.median(cat["z"]))
    assert "z (0." in found["similarity"].info.description


@pytest.mark.parametrize("give", [Table, QTable])
def test_units_and_types_do_not_matter(give):
    cat = give(galaxies())
    first = gzr.find_similar(cat, 3, n=7, beside={"mag_r": 0.3})
    cat["mag_r"] = (np.asarray(cat["mag_r"]) * 1000).astype("float32") * u.mmag
    again = gzr.find_similar(cat, 3, n=7, beside={"mag_r": 0.3})
    assert first["row"].tolist() == again["row"].tolist()
    assert type(first) is give


@pytest.mark.parametrize("missing", [np.nan, np.inf, "masked"])
def test_galaxies_without_a_value_are_neither_better_nor_worse_than_the_mean(missing):
    cat = galaxies()
    if missing == "masked":
        cat["z"] = MaskedColumn(cat["z"], mask=np.arange(N) % 4 == 1)
        wanted = expected(cat, 4, {"z": 0.5})
    else:
        cat["z"][1::4] = missing
        known = cat.copy()
        known["z"][1::4] = np.nan
        wanted = expected(known, 4, {"z": 0.5})
    found = gzr.add_similarity(cat, 4, beside={"z": 0.5})
    assert np.allclose(found["similarity"], wanted, atol=1e-6)


def test_an_example_without_a_value_has_no_say_in_it():
    cat = galaxies()
    cat["z"][4] = np.nan
    found = gzr.add_similarity(cat, [3, 4], beside={"z": 0.5}, combine="mean")
    without = gzr.add_similarity(cat, 4)["similarity"]
    assert np.allclose(found["similarity"], (expected(cat, 3, {"z": 0.5}) + without) / 2, atol=1e-6)
    with pytest.raises(ValueError, match="no example has a value in 'z'"):
        gzr.add_similarity(cat, 4, beside={"z": 0.5})


@pytest.mark.parametrize("combine", ["mean", "best"])
def test_several_examples_and_negatives(combine):
    cat = galaxies()
    beside = {"z": 0.7}
    each = np.stack([expected(cat, row, beside) for row in (3, 8, 9)])
    wanted = each.max(0) if combine == "best" else each.mean(0)
    found = gzr.add_similarity(cat, [3, 8, 9], beside=beside, combine=combine)
    assert np.allclose(found["similarity"], wanted, atol=1e-6)
    found = gzr.add_similarity(cat, [3, 8, 9], beside=beside, combine=combine, negatives=[20])
    assert np.allclose(found["similarity"], wanted - expected(cat, 20, beside), atol=1e-6)


def test_an_index_and_names_and_positions_of_the_catalogue():
    cat = galaxies()
    wanted = gzr.find_similar(cat, 3, beside={"z": 0.5})["row"].tolist()
    index = SimilarityIndex.build(cat)
    place = SkyCoord(cat["ra"][3], cat["dec"][3], unit="deg")
    assert gzr.find_similar(cat, 3, beside={"z": 0.5}, index=index)["row"].tolist() == wanted
    assert gzr.find_similar(cat, "g3", beside={"z": 0.5})["row"].tolist() == wanted
    assert gzr.find_similar(cat, place, beside={"z": 0.5})["row"].tolist() == wanted


def test_a_query_from_elsewhere_brings_its_own_values():
    cat = galaxies()
    query = Table({"embedding": np.asarray(cat["embedding"][3:4]), "z": [cat["z"][3]]})
    found = gzr.add_similarity(cat, query, beside={"z": 0.5})
    assert np.allclose(found["similarity"], expected(cat, 3, {"z": 0.5}), atol=1e-6)
    found = gzr.add_similarity(cat, query[0], beside={"z": 0.5})
    assert np.allclose(found["similarity"], expected(cat, 3, {"z": 0.5}), atol=1e-6)
    with pytest.raises(ValueError, match=r"beside.*'z'.*table"):
        gzr.add_similarity(cat, np.asarray(cat["embedding"][3]), beside={"z": 0.5})
    with pytest.raises(ValueError, match=r"beside.*'z'.*table"):
        gzr.add_similarity(cat, query["embedding",], beside={"z": 0.5})


def test_a_query_in_another_unit_is_converted():
    cat = galaxies()
    cat["mag_r"].unit = u.mag
    query = QTable(
        {"embedding": np.asarray(cat["embedding"][3:4]), "mag_r": [cat["mag_r"][3] * 1000] * u.mmag}
    )
    found = gzr.add_similarity(cat, query, beside={"mag_r": 0.5})
    assert np.allclose(found["similarity"], expected(cat, 3, {"mag_r": 0.5}), atol=1e-6)
    query["mag_r"] = [1.0] * u.Jy
    with pytest.raises(ValueError, match=r"Jy.*mag"):
        gzr.add_similarity(cat, query, beside={"mag_r": 0.5})


@pytest.mark.parametrize(
    "unit",
    [
        cosmology_units.redshift,
        cosmology_units.littleh / u.Mpc,
        u.ABmag,
        u.dex(u.Msun),
        u.Unit("log(M_sun)", parse_strict="silent"),
    ],
    ids=str,
)
def test_units_that_astropy_does_not_read_from_text_are_units_too(unit, tmp_path):
    cat = galaxies()
    cat["near"] = np.asarray(cat["z"]) < np.median(cat["z"])
    plain = gzr.add_similarity(cat, 3, beside={"z": 0.5})["similarity"]
    cat["z"].unit = unit
    found = gzr.add_similarity(cat, cat[3:4]["embedding", "z"], beside={"z": 0.5})["similarity"]
    assert np.allclose(found, plain, atol=1e-12)
    gzr.finetune(cat, "near", beside={"z": 1.0}, members=2).save(tmp_path / "model")
    found = gzr.add_predictions(cat, tmp_path / "model")
    assert np.mean((found["near_probability"] > 0.5) == cat["near"]) > 0.9
    other = cat[3:4]["embedding", "z"]
    other["z"].unit = u.K
    with pytest.raises(ValueError, match=r"column 'z' is in K, but was in"):
        gzr.add_similarity(cat, other, beside={"z": 0.5})


def with_ratings(cat):
    cat["interest"] = np.where(np.arange(len(cat)) < 50, np.arange(len(cat)) % 5, np.nan)
    return cat


VERBS = {
    "similarity": lambda cat, beside: gzr.add_similarity(cat, 0, beside=beside),
    "find": lambda cat, beside: gzr.find_similar(cat, 0, beside=beside),
    "anomaly": lambda cat, beside: gzr.add_anomaly_scores(cat, beside=beside),
    "next": lambda cat, beside: gzr.next_to_rate(cat, beside=beside),
    "distance": lambda cat, beside: gzr.add_similarity(cat, 0, beside=beside, metric="euclidean"),
    "rate": lambda cat, beside: gzr.rate(
        cat, lambda row: 1, path="never.ecsv", beside=beside, progress=False
    ),
    "interest": lambda cat, beside: fit_interest(with_ratings(cat), beside=beside),
    "page": lambda cat, beside: gzr.look(cat, beside=beside, serve=False),
    "head": lambda cat, beside: gzr.finetune(cat, "ring", beside=beside, members=2),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
@pytest.mark.parametrize(
    ("beside", "error", "message"),
    [
        ({"redshift": 1.0}, ValueError, "beside= needs a column 'redshift', which the catalogue does not"),
        ({"name": 1.0}, TypeError, "'name'.*numbers"),
        ({"flag": 1.0}, TypeError, "'flag'.*numbers"),
        ({"embedding": 1.0}, ValueError, "'embedding'.*one number"),
        ({"same": 1.0}, ValueError, "'same'.*all.*7"),
        ({"nothing": 1.0}, ValueError, "'nothing'.*no finite"),
        ({"z": np.nan}, ValueError, "weight.*'z'"),
        ({"z": np.inf}, ValueError, "weight.*'z'"),
        ({"z": -1.0}, ValueError, "weight.*'z'"),
        ({"z": 0}, ValueError, "weight.*'z'"),
        ({"z": "much"}, ValueError, "weight.*'z'"),
        ({"z": True}, ValueError, "weight.*'z'"),
        ({}, ValueError, "beside"),
        (["z"], TypeError, "beside"),
        ("z", TypeError, "beside"),
    ],
)
def test_what_makes_no_sense_is_refused(verb, beside, error, message):
    cat = galaxies()
    cat["flag"], cat["same"], cat["nothing"] = True, 7.0, np.nan
    cat["ring"] = cat["embedding"][:, 0] > 0
    with pytest.raises(error, match=message):
        verb(cat, beside)


def distances(cat, rows, beside, vectors=None):
    """Minus the distances to some rows, one for each, by the documented formula."""
    vectors = np.asarray(cat["embedding"], float) if vectors is None else vectors
    length = np.sqrt(vectors.var(axis=0).sum())
    columns = [
        weight * length * robust(np.asarray(cat[name], float)).clip(-5, 5) for name, weight in beside.items()
    ]
    places = np.column_stack([vectors, *columns])
    return -np.stack([np.linalg.norm(places - places[row], axis=1) for row in rows])


@pytest.mark.parametrize("beside", [{"z": 0.5}, {"z": 0.1, "mag_r": 2.0}])
@pytest.mark.parametrize("combine", ["mean", "best"])
def test_columns_are_further_dimensions_of_distances(beside, combine):
    cat, options = galaxies(), {"metric": "euclidean", "combine": combine}
    found = gzr.add_similarity(cat, [3, 8], beside=beside, **options)
    made = {"mean": np.mean, "best": np.max}[combine]
    np.testing.assert_allclose(
        found["similarity"], made(distances(cat, [3, 8], beside), axis=0), rtol=1e-5, atol=1e-5
    )
    assert "with the distance in z (0." in found["similarity"].info.description
    away = gzr.add_similarity(cat, [3, 8], beside=beside, negatives=[20], **options)
    expected = made(distances(cat, [3, 8], beside), axis=0) - distances(cat, [20], beside)[0]
    np.testing.assert_allclose(away["similarity"], expected, rtol=1e-5, atol=1e-5)
    index = SimilarityIndex.build(cat, metric="euclidean")
    by_index = gzr.find_similar(cat, [3, 8], n=N, beside=beside, combine=combine, index=index)
    assert by_index["row"].tolist() == np.argsort(found["similarity_rank"])[2:].tolist()


def test_distances_in_components_and_missing_values():
    cat = galaxies()
    cat["z"][:5] = np.nan
    found = gzr.add_similarity(cat, 8, beside={"z": 1.0}, metric="euclidean", components=4, whiten=True)
    assert np.isfinite(found["similarity"]).all()
    with pytest.raises(ValueError, match="no example has a value in 'z'"):
        gzr.add_similarity(cat, 3, beside={"z": 1.0}, metric="euclidean")
    both = gzr.add_similarity(cat, [3, 8], beside={"z": 1.0}, metric="euclidean")
    assert np.isfinite(both["similarity"]).all()


def test_numbers_that_may_stand_for_no_value_are_said():
    cat = galaxies()
    cat["z"][:3] = -9999
    with pytest.warns(GalzooWarning, match="-9999"):
        gzr.add_similarity(cat, 5, beside={"z": 1.0})


def test_a_head_learns_from_them_too(tmp_path):
    cat = galaxies(400)
    cat["near"] = np.where(np.arange(400) < 200, np.asarray(cat["z"]) < np.median(cat["z"]), np.nan)
    with pytest.warns(gzr.GalzooWarning, match="do not show that galaxies are told apart"):
        alone = gzr.finetune(cat, "near", members=2)
    model = gzr.finetune(cat, "near", beside={"z": 1.0}, members=2)
    assert alone.report["accuracy"] < 0.7 < 0.9 < model.report["accuracy"]
    assert model.card["encoder"]["dim"] == 16
    assert "z" in str(model)
    model.save(tmp_path / "model")
    cat["z"][300] = np.nan
    found = gzr.add_predictions(cat, tmp_path / "model")
    held = np.arange(200, 400)
    truth = np.asarray(cat["z"]) < np.nanmedian(cat["z"])
    right = (found["near_probability"] > 0.5) == truth
    assert right[held].mean() > 0.9
    assert np.isfinite(found["near_probability"]).all()
    assert np.isfinite(found["near_unlike"]).all()
    assert provenance(found, "add_predictions_near")["beside"]["z"]["weight"] == 1.0
    assert len(gzr.which_to_label(cat, model, 5)) == 5
    del cat["z"]
    with pytest.raises(ValueError, match=r"beside.*'z'"):
        gzr.add_predictions(cat, model)


def test_scale_is_that_of_the_catalogue_which_was_learned_from():
    cat = galaxies(400)
    cat["near"] = np.asarray(cat["z"]) < np.median(cat["z"])
    model = gzr.finetune(cat, "near", beside={"z": 1.0}, members=2)
    far = gzr.add_predictions(cat[cat["z"] > 0.3]["embedding", "z"], model)
    assert (far["near_probability"] < 0.5).all()


def test_embeddings_alone_are_refused_with_the_names_of_the_columns():
    cat = galaxies()
    cat["near"] = np.where(cat["z"] < np.nanmedian(cat["z"]), "yes", "no")
    model = gzr.finetune(cat, "near", beside={"z": 1.0}, members=2)
    with pytest.raises(ValueError, match=r"reading also z .*add_predictions does so"):
        model.predict(np.asarray(cat["embedding"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda z: z * 3e5, r"column 'z' of beside is .* here, but .*in the same unit"),
        (lambda z: np.where(np.arange(len(z)) % 3, z, -999), "column 'z' of beside is -999 in"),
    ],
)
def test_a_column_that_seems_to_be_another_elsewhere_is_said(change, message):
    cat = galaxies()
    cat["near"] = np.asarray(cat["z"]) < np.median(cat["z"])
    model = gzr.finetune(cat, "near", beside={"z": 1.0}, members=2)
    other = cat["embedding", "z"]
    other["z"] = change(np.asarray(cat["z"]))
    with pytest.warns(GalzooWarning, match=message):
        gzr.add_predictions(other, model)
    with pytest.warns(GalzooWarning, match="no number stand for a missing"):
        gzr.add_similarity(cat, Table({"embedding": cat["embedding"][:1], "z": [-999.0]}), beside={"z": 0.5})


def test_a_model_says_what_it_reads_beside_the_embedding():
    cat = galaxies()
    cat["near"] = np.asarray(cat["z"]) < np.median(cat["z"])
    cat["mag_r"].unit = u.mag
    model = gzr.finetune(cat, "near", beside={"z": 1.0, "mag_r": 0.5}, members=2)
    card = model.model_card("a/b")
    assert "embeddings of that encoder and the columns `z`, `mag_r`" in card
    assert "| mag_r | mag | 0.5 |" in card
    with pytest.raises(ValueError, match=r"reading also z .*mag_r"):
        model.predict(cat["embedding"])


def test_only_heads_have_them():
    cat = galaxies()
    cat["ring"] = cat["embedding"][:, 0] > 0
    with pytest.raises(ValueError, match="head"):
        gzr.finetune(cat, "ring", depth=1, beside={"z": 1.0}, images=[np.zeros((8, 8, 3))] * N)


def test_interest_is_learned_from_them_too():
    cat = galaxies(400)
    rated = np.arange(400) < 150
    cat["interest"] = np.where(rated, robust(np.asarray(cat["z"])).clip(-2, 3), np.nan)
    truth = np.asarray(cat["z"])[~rated]

    def agreement(table):
        return np.corrcoef(
            np.argsort(np.argsort(table["anomaly_score"][~rated])), np.argsort(np.argsort(truth))
        )[0, 1]

    found = gzr.add_anomaly_scores(cat, beside={"z": 1.0})
    assert agreement(found) > 0.8
    with pytest.warns(GalzooWarning, match="hardly follow"):
        assert agreement(gzr.add_anomaly_scores(cat)) < 0.5
    assert provenance(found, "add_anomaly_scores")["beside"]["z"]["weight"] == 1.0
    from galzoo_repr.anomaly import fit_interest

    model = fit_interest(cat)
    with pytest.raises(ValueError, match=r"fitted.*beside"):
        gzr.add_anomaly_scores(cat, model=model, beside={"z": 1.0})


def of_near_ones(n=300, rated=120):
    """Galaxies of which those at low redshift are interesting, whatever they look like."""
    cat = galaxies(n)
    near = np.asarray(cat["z"]) < np.median(cat["z"])
    cat["interest"] = np.where(np.arange(n) < rated, 5.0 * near, np.nan)
    return cat, near


def test_an_interest_reads_them_of_any_table(tmp_path):
    cat, near = of_near_ones()
    held = slice(120, None)
    with pytest.warns(GalzooWarning, match="hardly follow from what the galaxies look like"):
        alone = gzr.add_anomaly_scores(cat[held], model=fit_interest(cat))["anomaly_score"]
    model = fit_interest(cat, beside={"z": 1.0})
    model.save(tmp_path / "near")
    scores = []
    for one in (model, InterestModel.load(tmp_path / "near")):
        found = gzr.add_anomaly_scores(cat[held], model=one)
        scores.append(np.asarray(found["anomaly_score"]))
        assert set(provenance(found, "add_anomaly_scores")["beside"]) == {"z"}
        assert len(gzr.next_to_rate(cat, model=one, n=3)) == 3
    assert np.array_equal(*scores)
    right = [np.corrcoef(near[held], each)[0, 1] for each in (alone, scores[0])]
    assert right[0] < 0.4 < 0.7 < right[1]
    same = gzr.add_anomaly_scores(cat, beside={"z": 1.0})["anomaly_score"]
    np.testing.assert_allclose(gzr.add_anomaly_scores(cat, model=model)["anomaly_score"], same, atol=1e-4)


def test_an_interest_says_what_it_lacks():
    cat, _ = of_near_ones()
    model = fit_interest(cat, beside={"z": 1.0})
    with pytest.raises(ValueError, match="beside= needs a column 'z'"):
        gzr.add_anomaly_scores(cat["embedding",], model=model)
    wide = cat["embedding",]
    for i in range(30):
        wide[f"Z{i}" if i else "Z"] = 1.0
    with pytest.raises(ValueError, match=r"its columns are embedding, Z, .* and 11 more; did you mean 'Z'\?"):
        gzr.add_anomaly_scores(wide, model=model)
    with pytest.raises(
        ValueError, match=r"reads the columns z \(1\) beside the embeddings.* use add_anomaly_scores"
    ):
        model.predict(cat["embedding"])
    with pytest.raises(ValueError, match=r"columns of its own, z \(1\); leave out model= or beside="):
        gzr.add_anomaly_scores(cat, model=model, beside={"z": 1.0})
    with pytest.raises(ValueError, match=r"embeddings alone; leave out model= or beside="):
        gzr.add_anomaly_scores(cat, model=fit_interest(cat), beside={"z": 1.0})
    far = cat.copy()
    far["z"] = far["z"] * 299_792.458
    with pytest.warns(GalzooWarning, match="is it the same quantity, in the same unit"):
        gzr.add_anomaly_scores(far, model=model)


def test_a_loop_of_ratings_goes_by_them(tmp_path):
    cat, _ = of_near_ones(rated=0)
    options = {"n": 10, "max_ratings": 80, "progress": False}
    found = {}
    for beside in (None, {"z": 1.0}):
        path = tmp_path / f"{beside is None}.ecsv"
        rated = gzr.rate(cat, lambda row: 5.0 * (row["z"] < 0.11), path=path, beside=beside, **options)
        found[beside is None] = int((rated["interest"] == 5).sum())
        kept = provenance(rated, "rate")
    assert found[False] > 1.3 * found[True]
    assert kept["beside"]["z"]["weight"] == 1


def test_the_page_goes_by_them(tmp_path):
    pytest.importorskip("panel")
    cat, _ = of_near_ones()
    with gzr.look(cat, folder=tmp_path, beside={"z": 1.0}, serve=False) as looked:
        scored = looked.table
    same = gzr.add_anomaly_scores(cat, beside={"z": 1.0}, model=InterestModel(rating_scale=(0, 5)))
    np.testing.assert_allclose(scored["anomaly_score"], same["anomaly_score"])
