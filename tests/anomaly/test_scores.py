import numpy as np
import pytest
from astropy import units as u
from astropy.table import Column, MaskedColumn, QTable, Table

import galzoo_repr as gzr
from galzoo_repr.anomaly import InterestModel, fit_interest

SCORES = ["anomaly_score", "anomaly_score_std", "anomaly_rank", "anomaly_unlike"]


@pytest.mark.parametrize("kind", [Table, QTable])
def test_scores_come_back_on_the_same_rows(rated, kind):
    rated = kind(rated)
    before = rated.copy()
    scored = gzr.add_anomaly_scores(rated)
    assert type(scored) is kind
    assert scored.colnames == [*before.colnames, *SCORES]
    assert rated.colnames == before.colnames
    assert all(np.array_equal(scored[name], before[name], equal_nan=True) for name in before.colnames[1:])
    assert "higher is more interesting" in scored["anomaly_score"].description


def test_interesting_galaxies_rank_first(rated, truth):
    scored = gzr.add_anomaly_scores(rated)
    best = scored["anomaly_rank"] <= 20
    assert best.sum() == 20
    assert truth[best].mean() > 3
    assert sorted(scored["anomaly_rank"]) == list(range(1, 401))
    order = np.argsort(scored["anomaly_rank"])
    assert (np.diff(scored["anomaly_score"][order]) <= 0).all()


def test_the_scale_of_the_ratings_is_kept(rated):
    as_given = gzr.add_anomaly_scores(rated)
    rated["interest"] *= 20
    assert np.allclose(
        gzr.add_anomaly_scores(rated)["anomaly_score"], 20 * as_given["anomaly_score"], rtol=1e-3
    )


def test_masked_ratings_are_not_ratings(rated):
    expected = gzr.add_anomaly_scores(rated)
    unrated = np.isnan(rated["interest"])
    rated["interest"] = MaskedColumn(np.where(unrated, 5.0, rated["interest"]), mask=unrated)
    assert np.array_equal(gzr.add_anomaly_scores(rated)["anomaly_score"], expected["anomaly_score"])


def test_integer_and_boolean_ratings_count(rated):
    interest = np.asarray(rated["interest"])
    rated["interest"] = MaskedColumn(np.nan_to_num(interest).astype(int) > 2, mask=np.isnan(interest))
    scored = gzr.add_anomaly_scores(rated)
    assert scored["anomaly_score"].max() < 1.5


@pytest.mark.parametrize("method", ["isolation_forest", "local_outlier_factor"])
def test_without_ratings_the_score_is_how_unusual(galaxies, method):
    galaxies["embedding"][17] = 25
    scored = gzr.add_anomaly_scores(galaxies, unsupervised=method)
    assert scored["anomaly_rank"][17] <= 5
    assert np.isnan(scored["anomaly_score_std"]).all()
    assert "nothing was rated" in scored["anomaly_score"].description


@pytest.mark.parametrize("ratings", [None, "interest"])
def test_an_unrated_catalogue_needs_no_column(galaxies, ratings):
    assert np.isfinite(gzr.add_anomaly_scores(galaxies, ratings)["anomaly_score"]).all()
    galaxies["interest"] = np.nan
    assert np.isfinite(gzr.add_anomaly_scores(galaxies, ratings)["anomaly_score"]).all()


def test_rated_galaxies_move_first_only_when_asked(rated, truth):
    plain = gzr.add_anomaly_scores(rated)
    first = gzr.add_anomaly_scores(rated, known_first=True)
    assert np.array_equal(plain["anomaly_score"], first["anomaly_score"])
    known = np.flatnonzero(truth[:80] > 0)
    assert sorted(first["anomaly_rank"][known]) == list(range(1, len(known) + 1))
    assert sorted(plain["anomaly_rank"][known]) != list(range(1, len(known) + 1))


def test_rows_without_an_embedding_get_no_score(rated):
    rated["embedding"][[3, 399]] = np.nan
    rated["embedding"][200, 4] = np.inf
    with pytest.warns(gzr.GalzooWarning, match="1 of 80 rated galaxies have no embedding"):
        scored = gzr.add_anomaly_scores(rated)
    missing = np.isnan(scored["anomaly_score"])
    assert np.flatnonzero(missing).tolist() == [3, 200, 399]
    assert (scored["anomaly_rank"][missing] == -1).all()
    assert np.isfinite(scored["interest"][3])


def test_a_catalogue_without_any_embedding_gets_no_score(rated):
    rated["embedding"] = np.nan
    with pytest.warns(gzr.GalzooWarning) as caught:
        scored = gzr.add_anomaly_scores(rated)
    assert any("no galaxy has a finite embedding" in str(warning.message) for warning in caught)
    assert (scored["anomaly_rank"] == -1).all()


@pytest.mark.parametrize("rows", [0, 1])
def test_tiny_catalogues_keep_their_rows(galaxies, rows):
    scored = gzr.add_anomaly_scores(galaxies[:rows])
    assert len(scored) == rows
    assert len(gzr.next_to_rate(galaxies[:rows])) == rows


def test_several_interests_stand_side_by_side(rated, truth):
    rated["rings"] = np.where(np.arange(400) % 7 == 0, 5 - truth, np.nan)
    scored = gzr.add_anomaly_scores(gzr.add_anomaly_scores(rated), "rings", name="ring")
    assert np.corrcoef(scored["anomaly_score"], scored["ring_score"])[0, 1] < 0


def test_existing_scores_are_not_replaced_unasked(rated):
    scored = gzr.add_anomaly_scores(rated)
    with pytest.raises(ValueError, match="already has 'anomaly_score'"):
        gzr.add_anomaly_scores(scored)
    assert gzr.add_anomaly_scores(scored, overwrite=True).colnames == scored.colnames


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ratings": "intrest"}, "ratings='intrest' is not a column"),
        (
            {"embedding": "vector"},
            "no column 'vector'; call add_embeddings first",
        ),
        ({"noise": "sigma"}, "noise='sigma' is not a column"),
        (
            {"unsupervised": "svm"},
            "unsupervised='svm' is not one of 'isolation_forest', 'local_outlier_factor'",
        ),
        ({"embedding": "id"}, "column 'id' must have shape"),
        ({"model": InterestModel(method="linear")}, "method='linear' is not one of 'steady', 'paper'"),
        ({"model": InterestModel(batch="all")}, "batch='all' is not one of"),
        ({"model": InterestModel(rating_scale=(0, 2))}, r"rating \d.0 is outside rating_scale"),
        ({"model": InterestModel(rating_scale=(5, 0))}, "must be .lowest, highest., two numbers"),
        (
            {"model": InterestModel(rating_scale=5)},
            "must be .lowest, highest., two numbers of at most 1e.15 in size, not 5",
        ),
        ({"model": InterestModel(rating_scale=(0, np.inf))}, "at most 1e.15 in size, not .0, inf."),
        ({"model": InterestModel(device="abacus")}, "device 'abacus' cannot be used"),
        ({"model": InterestModel(tradeoff=-1)}, "tradeoff must be a number from 0, not -1"),
        ({"model": InterestModel(n_components=0)}, "n_components must be a whole number from 1, not 0"),
        ({"model": InterestModel(n_components=2.5)}, "n_components must be a whole number from 1, not 2.5"),
        ({"seed": 2**32}, r"seed must be below 2\*\*32, not 4294967296"),
    ],
)
def test_bad_arguments_say_what_to_do(rated, change, message):
    with pytest.raises(ValueError, match=message):
        gzr.add_anomaly_scores(rated, **change)


@pytest.mark.parametrize("model", ["gp", InterestModel])
def test_what_is_no_model_is_refused(rated, model):
    with pytest.raises(TypeError, match="is no InterestModel"):
        gzr.add_anomaly_scores(rated, model=model)


def test_bad_ratings_are_refused(rated):
    for wrong in (np.inf, -1e16):
        rated["interest"][5] = wrong
        with pytest.raises(
            ValueError, match=f"at most 1e.15 in size, or NaN where not rated; row 5 has {str(wrong)[:2]}"
        ):
            gzr.add_anomaly_scores(rated)
    rated["interest"] = ["very"] * 400
    with pytest.raises(TypeError, match="ratings must be numbers"):
        gzr.add_anomaly_scores(rated)
    rated["interest"] = np.ones(400) * u.mag
    with pytest.raises(TypeError, match="ratings must be plain numbers, but have the unit mag"):
        gzr.add_anomaly_scores(rated)
    with pytest.raises(TypeError, match="ratings must be the name of a column, not ndarray"):
        gzr.add_anomaly_scores(rated, ratings=np.zeros(400))


@pytest.mark.parametrize("blank", [None, "", "?", "N/A", "null"])
@pytest.mark.parametrize("kind", [object, str, bytes])
def test_ratings_are_read_from_objects_and_text(rated, blank, kind):
    expected = gzr.add_anomaly_scores(rated)["anomaly_score"]
    given = [blank if np.isnan(each) else each for each in rated["interest"]]
    if kind is not object:
        given = np.array(["" if each is None else str(each) for each in given]).astype(kind)
    rated["interest"] = Column(given, dtype=object) if kind is object else given
    np.testing.assert_array_equal(gzr.add_anomaly_scores(rated)["anomaly_score"], expected)


def test_ratings_of_shape_n_by_one_are_one_each(rated):
    expected = gzr.add_anomaly_scores(rated)["anomaly_score"]
    rated["interest"] = np.asarray(rated["interest"])[:, None]
    np.testing.assert_array_equal(gzr.add_anomaly_scores(rated)["anomaly_score"], expected)


@pytest.mark.filterwarnings("ignore:The 80 ratings hardly follow")
@pytest.mark.parametrize("use", [gzr.add_anomaly_scores, gzr.next_to_rate, fit_interest])
@pytest.mark.parametrize("number", [-1, -99, 9999])
def test_numbers_that_seem_to_stand_for_no_rating_are_said(rated, number, use):
    rated["interest"][[3, 5]] = number
    with pytest.warns(
        gzr.GalzooWarning, match=f"rating 'interest' is {number} in 2 rows.*masked_equal.*rating_scale"
    ):
        use(rated)


def test_a_rating_on_the_scale_that_was_stated_is_one(rated):
    rated["interest"][[3, 5]] = -1
    gzr.add_anomaly_scores(rated, model=InterestModel(rating_scale=(-1, 5)))


def test_ratings_given_as_numbers_are_looked_at_too(galaxies, truth):
    ratings = [*truth[:60].tolist(), -99, *[None] * 339]
    with pytest.warns(
        gzr.GalzooWarning, match=r"rating is -99 in 1 row.*values = np.ma.masked_equal\(values, -99"
    ):
        InterestModel().fit(galaxies["embedding"], ratings)


def test_something_else_than_a_table_is_refused():
    with pytest.raises(TypeError, match="a catalogue is"):
        gzr.add_anomaly_scores([1, 2, 3])


def test_next_to_rate_points_into_the_catalogue(rated):
    chosen = gzr.next_to_rate(rated, n=7)
    assert len(chosen) == 7
    assert np.array_equal(chosen["id"], rated["id"][chosen["row"]])
    assert (chosen["row"] >= 80).all()
    assert len(set(chosen["row"])) == 7
    assert (chosen["expected_improvement"] >= 0).all()


def test_a_rating_known_to_be_noisy_changes_what_to_rate_next(rated):
    plain = gzr.next_to_rate(rated, n=20)
    rated["sigma"] = np.where(rated["interest"] == 5, 20.0, 0.0)
    uncertain = gzr.next_to_rate(rated, n=20, noise="sigma")
    assert uncertain["predicted_rating"].max() < plain["predicted_rating"].max()


@pytest.mark.parametrize("first", ["diverse", "outliers", "random"])
def test_the_first_batch_is_reproducible(galaxies, first):
    rows = gzr.next_to_rate(galaxies, n=12, first=first)["row"]
    assert len(set(rows)) == 12
    assert np.array_equal(rows, gzr.next_to_rate(galaxies, n=12, first=first)["row"])


def test_no_more_rows_are_chosen_than_there_are(rated):
    rated["interest"][:396] = 1
    rated["embedding"][398] = np.nan
    assert sorted(gzr.next_to_rate(rated, n=10)["row"]) == [396, 397, 399]


def test_next_to_rate_refuses_bad_counts_and_names(rated, galaxies):
    for n in (0, -3, "a", 2.5, True, None):
        for table in (rated, galaxies["embedding",]):
            with pytest.raises(ValueError, match=f"n must be a whole number from 1, not {n!r}"):
                gzr.next_to_rate(table, n=n)
    with pytest.raises(ValueError, match="first='best' is not one of 'diverse'"):
        gzr.next_to_rate(galaxies, first="best")


def test_an_interest_applies_to_another_catalogue_of_the_same_encoder(rated):
    rated.meta.update(GZRENC="bundled", GZRENCD="a" * 64)
    model = fit_interest(rated[:300])
    other = rated[300:]
    scored = gzr.add_anomaly_scores(other, model=model)
    assert np.array_equal(scored["anomaly_score"], model.predict(np.asarray(other["embedding"])))
    described = gzr.add_anomaly_scores(other, None, model=model)["anomaly_score"].description
    assert described == "Predicted rating in 'interest', higher is more interesting"
    other.meta["GZRENCD"] = "b" * 64
    for call in (gzr.add_anomaly_scores, gzr.next_to_rate):
        with pytest.raises(ValueError, match="embed the table with the same encoder"):
            call(other, model=model)
    other.meta["GZRENCD"] = "a" * 64
    other["embedding"] = np.ones((100, 5), dtype=np.float32)
    with pytest.raises(ValueError, match="5 dimensions, but the model was fitted on 12"):
        gzr.add_anomaly_scores(other, model=model)


def test_provenance_says_how_the_score_came_about(rated):
    record = gzr.add_anomaly_scores(rated).meta["galzoo_repr"]["add_anomaly_scores"]
    assert record["n_rated"] == 80
    assert record["method"] == "gaussian_process_steady"


@pytest.mark.parametrize("kind", [Table, QTable])
def test_ratings_that_are_noise_are_told_from_those_that_are_not(rated, kind):
    plain = gzr.add_anomaly_scores(kind(rated))
    found = plain.meta["galzoo_repr"]["add_anomaly_scores"]
    assert found["held_out_correlation"] > 0.5
    assert 0.5 < found["held_out_within_std"] <= 1
    rated["interest"] = np.where(np.arange(400) < 80, np.random.default_rng(0).integers(0, 6, 400), np.nan)
    with pytest.warns(
        gzr.GalzooWarning, match="80 ratings hardly follow .* no better than chance. Rate more"
    ) as seen:
        gzr.add_anomaly_scores(kind(rated))
    assert seen[0].filename == __file__


@pytest.mark.parametrize(
    ("ratings", "scale", "reason"),
    [
        (np.zeros(20), None, "All 20 ratings are equal: nothing says yet what is interesting"),
        (np.full(20, 3.0), None, "All 20 ratings are equal: nothing says yet what is interesting"),
        (np.arange(20) % 2, (0, 5), "All 20 ratings are about the lowest: nothing says yet"),
    ],
)
def test_while_nothing_interesting_is_rated_the_score_is_how_unlike_that_a_galaxy_is(
    galaxies, ratings, scale, reason
):
    # The first twenty are of two kinds, as most others are; the last ten are of neither, far out.
    galaxies["embedding"][:, 1] += np.where(np.arange(400) % 2, 4, 0)
    galaxies["embedding"][-10:, 2] += 8
    galaxies["interest"] = np.concatenate([ratings, np.full(380, np.nan)])
    with pytest.warns(gzr.GalzooWarning, match=reason):
        scored = gzr.add_anomaly_scores(galaxies, model=InterestModel(rating_scale=scale))
    assert set(scored["anomaly_rank"][-10:]) == set(range(1, 11))
    assert np.isnan(scored["anomaly_score_std"]).all()
    assert scored["anomaly_score"].description.startswith(
        "How unusual the galaxy is and how unlike those rated"
    )
    assert gzr.next_to_rate(galaxies, model=InterestModel(rating_scale=scale))["row"].min() >= 20


@pytest.mark.parametrize("unit", [1e-300, 1e15])
def test_ratings_may_have_any_scale(rated, unit):
    plain = gzr.add_anomaly_scores(rated)["anomaly_score"]
    rated["interest"] = np.asarray(rated["interest"], float) * (unit / 5)
    scores = gzr.add_anomaly_scores(rated)["anomaly_score"]
    assert np.allclose(scores / unit, plain / 5, atol=1e-6)


@pytest.mark.parametrize("value", [1e15, -1e15])
def test_equal_ratings_of_any_size_say_nothing(rated, value):
    rated["interest"] = np.where(np.arange(400) < 20, value, np.nan)
    with pytest.warns(gzr.GalzooWarning, match="All 20 ratings are equal: nothing says yet"):
        assert np.isfinite(gzr.add_anomaly_scores(rated)["anomaly_score"]).all()


@pytest.mark.parametrize("method", ["steady", "paper"])
def test_different_ratings_of_the_same_galaxy_are_no_reason_to_believe_scores(rated, method):
    rated["embedding"][:80] = rated["embedding"][0]
    rated["interest"] = np.where(np.arange(400) < 80, np.arange(400) % 2, np.nan)
    with pytest.warns(
        gzr.GalzooWarning, match="80 ratings hardly follow .* a rating correlates by -?[01][.]"
    ):
        scored = gzr.add_anomaly_scores(rated, model=InterestModel(method=method))
    assert np.isfinite(scored["anomaly_score"]).all()


def test_a_strange_galaxy_that_is_rated_does_not_cast_doubt_on_the_other_ratings(rated):
    rated["embedding"][78:80] *= 300
    rated["interest"][78:80] = [0, 5]
    scored = gzr.add_anomaly_scores(rated)
    assert scored.meta["galzoo_repr"]["add_anomaly_scores"]["held_out_correlation"] > 0.4
    assert 0.8 < scored.meta["galzoo_repr"]["add_anomaly_scores"]["stretch"] < 1.5


def test_one_high_rating_is_told_as_one(rated):
    rated["interest"][1:] = np.nan
    rated["interest"][0] = 5
    with pytest.warns(
        gzr.GalzooWarning, match="There is one rating, and it is high: the score says how like"
    ):
        gzr.add_anomaly_scores(rated, model=InterestModel(rating_scale=(0, 5)))


def test_equal_ratings_that_are_high_ask_for_more_of_the_same(galaxies):
    galaxies["embedding"][::4, 1] += 8
    galaxies["interest"] = np.where(np.arange(400) % 40 == 0, 5.0, np.nan)
    with pytest.warns(
        gzr.GalzooWarning, match="All 10 ratings are equal and high: the score says how like what was rated"
    ):
        scored = gzr.add_anomaly_scores(galaxies, model=InterestModel(rating_scale=(0, 5)))
    assert (np.flatnonzero(scored["anomaly_rank"] <= 100) % 4 == 0).all()


def test_galaxies_unlike_all_rated_ones_are_told(rated):
    rated["embedding"][300:320] += 30
    scored = gzr.add_anomaly_scores(rated)
    assert (scored["anomaly_unlike"][300:320] > 0.99).all()
    others = np.r_[80:300, 320:400]
    assert 0.4 < np.mean(scored["anomaly_unlike"][others]) < 0.65
    # One in twenty over many choices of rated galaxies; eighty tell it to a few per cent.
    assert np.mean(scored["anomaly_unlike"][others] > 0.95) < 0.2
    assert "near 1 is unlike" in scored["anomaly_unlike"].description


def test_how_unlike_is_not_known_while_nothing_or_one_galaxy_is_rated(rated):
    assert np.isnan(gzr.add_anomaly_scores(rated, None)["anomaly_unlike"]).all()
    rated["interest"][1:] = np.nan
    with pytest.warns(gzr.GalzooWarning, match="There is one rating: nothing says yet what is interesting"):
        scored = gzr.add_anomaly_scores(rated)
    assert np.isnan(scored["anomaly_unlike"]).all()


def test_a_saved_interest_keeps_the_galaxies_that_were_rated(rated, tmp_path):
    """The ratings of the table it is applied to are not those it was learned from."""
    rated["embedding"][5] = np.nan
    known = rated[np.isfinite(rated["embedding"]).all(axis=1)]
    expected = gzr.add_anomaly_scores(known)["anomaly_unlike"]
    with pytest.warns(gzr.GalzooWarning, match="1 of 80 rated galaxies have no embedding") as seen:
        fit_interest(rated).save(tmp_path / "interest")
    assert seen[0].filename == __file__
    model = InterestModel.load(tmp_path / "interest")
    known["interest"] = np.where(np.arange(len(known)) > 370, 5.0, np.nan)
    found = gzr.add_anomaly_scores(known, model=model)["anomaly_unlike"]
    np.testing.assert_array_equal(found, expected)
    interest = InterestModel().fit(rated["embedding"], rated["interest"])
    np.testing.assert_array_equal(interest.known_.distances, model.known_.distances)


def test_an_interest_of_an_earlier_version_does_not_tell_how_unlike(rated, tmp_path):
    model = fit_interest(rated)
    model.known_ = None
    model.save(tmp_path / "interest")
    scored = gzr.add_anomaly_scores(rated, model=InterestModel.load(tmp_path / "interest"))
    assert np.isnan(scored["anomaly_unlike"]).all()
    assert "not known" in scored["anomaly_unlike"].description


def test_a_few_strange_galaxies_do_not_hide_what_ratings_tell(rated, truth):
    rated["embedding"][300:320] += 30
    scored = gzr.add_anomaly_scores(rated)
    others = np.r_[80:300, 320:400]
    assert np.corrcoef(scored["anomaly_score"][others], truth[others])[0, 1] > 0.5
