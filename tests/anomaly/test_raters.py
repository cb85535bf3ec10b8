"""Several people rate one catalogue: all are learned from, the careful ones more."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import galzoo_repr as gzr
from galzoo_repr.anomaly import InterestModel, fit_interest, rate
from galzoo_repr.anomaly._raters import rater_table

NAN = np.nan


@pytest.fixture
def shared(galaxies, truth):
    """Anna rates 60 galaxies with care; Ben rates 60, half of them the same, mostly by chance."""
    generator = np.random.default_rng(3)
    rows = np.arange(400)
    galaxies["anna"] = np.where(rows < 60, truth, NAN)
    galaxies["ben"] = np.where((rows >= 30) & (rows < 90), generator.integers(0, 6, 400), NAN)
    return galaxies


def scores(table, ratings, **options):
    return np.asarray(gzr.add_anomaly_scores(table, ratings, **options)["anomaly_score"])


def test_scores_follow_the_careful_rater(shared, truth):
    unrated = np.arange(400) >= 90

    def correlation(ratings):
        return np.corrcoef(scores(shared, ratings)[unrated], truth[unrated])[0, 1]

    mean = np.nanmean([shared["anna"][:90], shared["ben"][:90]], axis=0)
    shared["mean"] = np.concatenate([mean, np.full(310, NAN)])
    both = correlation(["anna", "ben"])
    with pytest.warns(
        gzr.GalzooWarning, match="The 60 ratings hardly follow from what the galaxies look like"
    ):
        assert both > correlation("ben") + 0.2
    assert both > correlation("mean")
    assert both > correlation("anna") - 0.1
    raters = fit_interest(shared, ["anna", "ben"]).raters_
    assert raters["noise"][1] > 2 * raters["noise"][0]


def test_a_list_of_one_is_the_column(shared):
    assert_array_equal(scores(shared, ["anna"]), scores(shared, "anna"))
    assert_array_equal(gzr.next_to_rate(shared, ["anna"])["row"], gzr.next_to_rate(shared, "anna")["row"])
    shared.rename_column("anna", "interest")
    assert_array_equal(scores(shared, ["interest"]), scores(shared, "interest"))


def test_the_order_of_raters_does_not_matter(shared):
    one, other = (fit_interest(shared, names) for names in (["anna", "ben"], ["ben", "anna"]))
    assert_allclose(one.predict(shared["embedding"]), other.predict(shared["embedding"]), atol=0.02)
    for name in ("noise", "agreement", "n_shared"):
        assert_allclose(one.raters_[name], other.raters_[name][::-1], rtol=0.05)


@pytest.mark.parametrize("second", [np.full(400, NAN), np.ma.masked_all(400)], ids=["nan", "masked"])
def test_a_rater_who_rated_nothing_changes_nothing(shared, second):
    shared["carl"] = second
    assert_array_equal(scores(shared, ["carl", "anna"]), scores(shared, "anna"))
    raters = fit_interest(shared, ["carl", "anna"]).raters_
    assert raters["n_rated"].tolist() == [0, 60]
    assert np.isnan(raters["noise"][0])
    shared["anna"] = NAN
    description = gzr.add_anomaly_scores(shared, ["carl", "anna"])["anomaly_score"].description
    assert "nothing was rated" in description


def test_what_anybody_rated_is_not_shown_again(shared):
    assert gzr.next_to_rate(shared, ["anna", "ben"], n=50)["row"].min() >= 90


def test_rated_galaxies_come_first_by_their_mean(shared):
    shared["ben"][:90] = np.where(np.arange(90) >= 30, np.nan_to_num(shared["anna"][:90], nan=1.0), NAN)
    shared["anna"][40], shared["ben"][40] = 5, 3
    shared["anna"][41], shared["ben"][41] = 5, 5
    ranks = gzr.add_anomaly_scores(shared, ["anna", "ben"], known_first=True)["anomaly_rank"]
    assert ranks[41] < ranks[40] < ranks[90:].min()


def test_raters_have_one_scale(shared):
    shared["ben"] *= 2
    model = fit_interest(shared, ["anna", "ben"])
    assert model.scale_ == (0, 10)
    with pytest.raises(ValueError, match=r"rating \d+.0 is outside rating_scale=.0, 5."):
        fit_interest(shared, ["anna", "ben"], model=InterestModel(rating_scale=(0, 5)))


def test_each_rater_may_know_her_own_spread(shared):
    shared["sigma"], shared["none"] = 0.5, 0.0
    one = scores(shared, ["anna", "ben"], noise="sigma")
    assert_array_equal(one, scores(shared, ["anna", "ben"], noise=["sigma", "sigma"]))
    assert not np.array_equal(one, scores(shared, ["anna", "ben"], noise=["none", "sigma"]))
    with pytest.raises(ValueError, match="noise names 3 columns for 2 raters; give one for each"):
        scores(shared, ["anna", "ben"], noise=["sigma", "none", "anna"])


def test_raters_who_disagree_are_told(shared):
    shared["ben"] = 5 - shared["anna"]
    with (
        pytest.warns(gzr.GalzooWarning, match="hardly follow from what the galaxies look like"),
        pytest.warns(
            gzr.GalzooWarning, match="opposite of the others: 'anna' .*, 'ben' .correlation -1.00 on 60"
        ) as seen,
    ):
        scored = gzr.add_anomaly_scores(shared, ["anna", "ben"])
    assert {warning.filename for warning in seen} == {__file__}
    assert np.isfinite(scored["anomaly_score"]).all()


def test_provenance_and_description_name_the_raters(shared):
    scored = gzr.add_anomaly_scores(shared, ["anna", "ben"])
    assert (
        scored["anomaly_score"].description == "Predicted rating in 'anna', 'ben', higher is more interesting"
    )
    record = scored.meta["galzoo_repr"]["add_anomaly_scores"]
    assert record["ratings"] == ["anna", "ben"]
    assert [(each["rater"], each["n_rated"], each["n_shared"]) for each in record["raters"]] == [
        ("anna", 60, 30),
        ("ben", 60, 30),
    ]
    alone = gzr.add_anomaly_scores(shared, "anna").meta["galzoo_repr"]["add_anomaly_scores"]["raters"]
    assert alone[0]["agreement"] is None


def test_the_report_is_saved_with_the_model(shared, tmp_path):
    model = fit_interest(shared, ["anna", "ben"])
    model.save(tmp_path / "interest")
    loaded = InterestModel.load(tmp_path / "interest")
    for name in model.raters_.colnames:
        assert_array_equal(loaded.raters_[name], model.raters_[name])
    assert_array_equal(loaded.predict(shared["embedding"]), model.predict(shared["embedding"]))


def test_agreement_is_a_weighted_kappa():
    ratings = np.array([[0, 1, NAN], [2, 2, 2], [5, 4, NAN], [3, NAN, NAN], [NAN, NAN, 1.0]])
    raters = rater_table(["anna", "ben", "carl"], ratings, [0.1, 0.2, 0.3])
    assert raters["n_rated"].tolist() == [4, 3, 2]
    assert raters["n_shared"].tolist() == [3, 3, 1]
    from sklearn.metrics import cohen_kappa_score

    own, others = [0, 2, 5, 2], [1, 2, 4, 2]
    assert_allclose(
        raters["agreement"][0], cohen_kappa_score(own, others, weights="quadratic", labels=range(6))
    )
    assert_allclose(raters["offset"], [0, 0, 0], atol=1e-12)
    assert_allclose(raters["correlation"][0], np.corrcoef(own, others)[0, 1])
    assert raters["noise"].tolist() == [0.1, 0.2, 0.3]


def test_arrays_of_several_raters(shared):
    ratings = np.stack([shared["anna"], shared["ben"]], axis=1)
    model = InterestModel().fit(shared["embedding"], ratings, raters=["anna", "ben"])
    assert_allclose(model.predict(shared["embedding"]), scores(shared, ["anna", "ben"]), atol=1e-3)
    assert InterestModel().fit(shared["embedding"], ratings).raters_["rater"].tolist() == [
        "rater 1",
        "rater 2",
    ]
    with pytest.raises(ValueError, match="raters has 1 names for ratings by 2; give one for each column"):
        InterestModel().fit(shared["embedding"], ratings, raters=["anna"])
    with pytest.raises(ValueError, match="one rating per galaxy is needed"):
        InterestModel().fit(shared["embedding"], ratings[:, :0])


@pytest.mark.parametrize(
    ("ratings", "error", "message"),
    [
        (["anna", "anna"], ValueError, "ratings names 'anna' twice; each rater counts once"),
        ([], ValueError, r"ratings=\[\] names no column; give one for each rater"),
        (["anna", "bob"], ValueError, "ratings='bob' is not a column of the table"),
        (["anna", 3], TypeError, "ratings must be the name of a column, not list"),
        ({"anna": 1}, TypeError, "ratings must be the name of a column, not dict"),
    ],
)
def test_what_names_no_raters_is_refused(shared, ratings, error, message):
    for call in (gzr.add_anomaly_scores, gzr.next_to_rate, fit_interest):
        with pytest.raises(error, match=message):
            call(shared, ratings)


def test_a_loop_learns_from_other_raters_too(shared, truth, tmp_path):
    seen = []

    def oracle(row):
        seen.append(row["row"])
        return truth[row["row"]]

    options = {"path": tmp_path / "mine.ecsv", "ratings": "dora", "max_ratings": 30, "progress": False}
    rated = rate(shared, oracle, others=["anna", "ben"], **options)
    assert np.isfinite(rated["dora"]).sum() == len(seen) == 30
    assert min(seen) >= 90
    assert truth[seen].mean() > 2 * truth[90:].mean()
    for others, message in ((["dora"], "names 'dora' twice"), (["emil"], "'emil' is not a column")):
        with pytest.raises(ValueError, match=message):
            rate(rated, oracle, others=others, **options)
