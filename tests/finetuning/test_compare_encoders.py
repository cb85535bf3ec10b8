"""Which encoder serves a user's own galaxies and labels."""

import numpy as np
import pytest
import timm
import torch
from astropy import units as u
from astropy.table import Column, MaskedColumn, Table

import galzoo_repr as gzr
from galzoo_repr import Encoder, ImageRecipe
from galzoo_repr.catalogue import provenance
from galzoo_repr.exceptions import GalzooWarning

N = 120
FIGURES = ("accuracy", "average_precision", "precision_at_10")


def galaxies(n=N):
    """Two columns of embeddings: one that tells rings, and one that knows nothing."""
    rng = np.random.default_rng(0)
    ring = np.arange(n) % 3 == 0
    good = rng.normal(size=(n, 8))
    good[:, 0] += 6 * ring
    return Table(
        {
            "ring": ring,
            "good": good.astype("float32"),
            "noise": rng.normal(size=(n, 8)).astype("float32"),
        }
    )


def pictures(n=N):
    """Rings and blobs, as pixels."""
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    r = np.hypot(x, y)
    ring, blob = np.exp(-(((r - 0.6) / 0.1) ** 2)), np.exp(-((r / 0.4) ** 2))
    noise = np.random.default_rng(1).uniform(0, 0.1, size=(n, 64, 64, 1))
    shapes = np.where((np.arange(n) % 3 == 0)[:, None, None], ring, blob)
    return np.clip(shapes[..., None] * 0.9 + np.repeat(noise, 3, axis=3), 0, 1).astype("float32")


def compare(table, labels="ring", encoders=("good", "noise"), **options):
    return gzr.compare_encoders(table, labels, encoders, **{"progress": False, "repeats": 3, **options})


def test_columns_of_embeddings_are_told_apart():
    board = compare(galaxies())
    assert board["encoder"].tolist() == ["good", "noise"]
    assert board["status"].tolist() == ["ok", "ok"]
    assert (board["n"] == N).all()
    for name in FIGURES:
        assert 0.9 < board[name][0] <= 1, name
        assert board[name][1] < 0.75, name
        assert np.isfinite(board[f"{name}_error"]).all(), name
    assert board["gain"][0] == 0
    assert board["gain"][1] < -3 * board["gain_error"][1]
    assert board["dim"].tolist() == [8, 8]
    assert np.isnan(board["cost"]).all()  # nobody knows what made them
    facts = provenance(board, "compare_encoders")
    assert facts["labels"] == "ring"
    assert facts["classes"] == {"yes": 40, "no": 80}
    assert (facts["n_train"], facts["n_test"], facts["repeats"]) == (60, 60, 3)


def test_it_is_the_same_again():
    first, second = compare(galaxies()), compare(galaxies())
    assert all(np.array_equal(first[name], second[name]) for name in FIGURES)
    assert compare(galaxies(), seed=5)["average_precision"][1] != first["average_precision"][1]


@pytest.mark.parametrize(
    "form",
    [
        np.asarray,
        list,
        lambda ring: ring.astype(int),
        lambda ring: np.where(ring, "ring", "none of that"),
        lambda ring: Column(np.where(ring, "yes", "no")),
    ],
)
def test_labels_may_be_an_array(form):
    table = galaxies()
    board = compare(table["good", "noise"], form(np.array(table["ring"])))
    assert np.allclose(board["accuracy"], compare(table)["accuracy"], atol=0.02)


def test_labels_may_be_missing():
    table = galaxies()
    some = np.arange(N) < 60
    masked = MaskedColumn(table["ring"], mask=~some)
    expected = compare(table[some])
    for labels in (
        masked,
        np.where(some, table["ring"], np.nan),
        [bool(r) if s else None for r, s in zip(table["ring"], some, strict=True)],
    ):
        board = compare(table, labels)
        assert board["n"].tolist() == [60, 60]
        assert np.allclose(board["accuracy"], expected["accuracy"])


def test_classes_are_compared_too():
    table = galaxies()
    table["kind"] = np.where(table["ring"], "ring", np.where(table["good"][:, 1] > 0, "bar", "smooth"))
    board = compare(table, "kind")
    assert board["accuracy"][0] > board["accuracy"][1] + 0.2
    assert board["average_precision"][0] > board["average_precision"][1]
    assert set(provenance(board, "compare_encoders")["classes"]) == {"ring", "bar", "smooth"}


def test_images_of_one_galaxy_are_not_on_both_sides():
    rng = np.random.default_rng(0)
    n = 60
    table = Table({"ring": np.arange(n) % 2 == 0, "e": rng.normal(size=(n, 64)).astype("float32")})
    table["ra"], table["dec"] = rng.uniform(0, 360, n), rng.uniform(-60, 60, n)
    from astropy.table import vstack

    twice = vstack([table, table])
    assert compare(twice, "ring", ["e"], repeats=5)["accuracy"][0] < 0.75
    assert compare(twice, "ring", ["e"], repeats=5)["precision_at_10"][0] < 0.65


def test_encoders_embed_the_labelled_images_and_keep_them(small_encoder, monkeypatch):
    table = galaxies()
    labels = np.where(np.arange(N) < 90, table["ring"], np.nan)
    with pytest.warns(GalzooWarning, match=r"images of different sizes: bundled .* px, small 64 px"):
        board = compare(table["ring",], labels, ["bundled", small_encoder], images=pictures(), fov=None)
    assert board["status"].tolist() == ["ok", "ok"]
    assert board["encoder"].tolist() == ["bundled", "small"]
    assert (board["average_precision"] > 0.9).all()
    assert board["size"][1] == 64
    assert board["size"].unit == u.pix
    assert board["cost"].unit == u.ms
    assert (board["cost"] > 0).all()
    assert np.isfinite(board["cost_error"]).all()
    assert (board["n"] == 90).all()
    seen = []
    embed = Encoder.embed
    monkeypatch.setattr(
        Encoder, "embed", lambda self, images, **k: seen.append(len(images)) or embed(self, images, **k)
    )
    again = compare(table["ring",], labels, [small_encoder], images=pictures())
    assert max(seen) <= 8  # the clock's own pictures, none of the galaxies
    assert again["accuracy"][0] == board["accuracy"][1]


def test_an_encoder_at_hand_beside_a_column(small_encoder):
    table = galaxies()
    torch.manual_seed(1)
    mine = Encoder(timm.create_model("lcnet_035", num_classes=0), ImageRecipe(size=32), name="mine")
    board = compare(table, "ring", [mine, "good"], images=pictures())
    assert board["encoder"].tolist() == ["mine", "good"]
    assert board["size"].tolist() == [32, -1]


def test_files_named_by_a_column(tmp_path, small_encoder):
    from PIL import Image

    table = galaxies(30)
    files = []
    for i, picture in enumerate(pictures(30)):
        files.append(str(tmp_path / f"{i}.png"))
        Image.fromarray((picture * 255).astype("uint8")).save(files[-1])
    table["file"] = files
    assert compare(table, "ring", [small_encoder], images="file")["status"].tolist() == ["ok"]


def test_one_that_fails_does_not_lose_the_others(small_encoder, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "encoder.json").write_text("{}")
    with pytest.warns(GalzooWarning, match="broken"):
        board = compare(galaxies(), "ring", [str(broken), "good"], images=pictures())
    assert board["status"].tolist() == ["failed", "ok"]
    assert np.isnan(board["accuracy"][0])
    assert board["accuracy"][1] > 0.9
    assert board["reason"][0]
    assert board["reason"][1] == ""


def test_one_that_fails_while_it_embeds(small_encoder, monkeypatch):
    monkeypatch.setattr(Encoder, "embed", lambda *_, **__: 1 / 0)
    with pytest.warns(GalzooWarning, match="division by zero"):
        board = compare(galaxies(), "ring", ["noise", small_encoder, "good"], images=pictures())
    assert board["status"].tolist() == ["ok", "failed", "ok"]


def test_a_column_of_few_embeddings_does_not_take_galaxies_from_the_others():
    table = galaxies()
    table["noise"][10:] = np.nan
    with pytest.warns(GalzooWarning, match=r"noise.*10 of 120"):
        board = compare(table)
    assert board["status"].tolist() == ["ok", "few_embeddings"]
    assert board["n"].tolist() == [N, 10]


def test_all_are_compared_on_the_galaxies_that_all_have():
    table = galaxies()
    table["noise"][:9] = np.nan
    assert compare(table)["n"].tolist() == [N - 9, N - 9]


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("bundledd", "bundled"),
        ("convnext_nan", "convnext_nano"),
        ("zoobot-encoder-convnext_nanoo", "zoobot-encoder-convnext_nano"),
        ("goood", "good"),
        ("no/such/folder", "folder"),
        ("hf-hub:only-one-part", "owner/repository"),
    ],
)
def test_unknown_names_are_refused_at_once_with_a_suggestion(name, suggested):
    with pytest.raises(ValueError, match=suggested):
        compare(galaxies(), "ring", ["good", name], images=pictures())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"encoders": []}, ValueError, "at least one encoder"),
        ({"encoders": ["good", "good"]}, ValueError, "more than once"),
        ({"encoders": ["ring"]}, ValueError, "column 'ring'.*no embeddings"),
        ({"encoders": [3]}, TypeError, "encoder"),
        ({"encoders": ["bundled"]}, ValueError, "images"),
        ({"encoders": ["good"], "images": "nowhere"}, ValueError, "nowhere"),
        ({"labels": "rings"}, ValueError, "label 'rings'"),
        ({"labels": ["ring", "good"]}, (ValueError, TypeError), "one label"),
        ({"labels": np.zeros(7)}, ValueError, "7 labels for 120"),
        ({"labels": np.arange(N) / 7.0}, ValueError, "yes or no, or classes"),
        ({"labels": np.ones(N)}, ValueError, "of one class"),
        ({"labels": np.full(N, np.nan)}, ValueError, "no row has a label"),
        ({"labels": np.arange(N) < 3}, ValueError, "at least 4 galaxies.*3"),
        ({"labels": np.arange(N).astype(str)}, ValueError, "classes|galax"),
        ({"repeats": 1}, ValueError, "repeats"),
        ({"n_train": 119}, ValueError, "n_train"),
        ({"n_train": 2}, ValueError, "n_train"),
        ({"colour": 3}, TypeError, "colour"),
    ],
)
def test_what_makes_no_sense_is_refused_before_time_is_lost(options, error, message, monkeypatch):
    monkeypatch.setattr(Encoder, "load", lambda *_, **__: pytest.fail("too late"))
    options = {"labels": "ring", "encoders": ["good"], **options}
    table = galaxies()
    with pytest.raises(error, match=message):
        compare(table, options.pop("labels"), options.pop("encoders"), **options)


@pytest.mark.parametrize("suffix", ["", "_fraction", "_debiased"])
@pytest.mark.parametrize("values", [np.arange(N) % 9, np.arange(N) / N])
def test_votes_and_fractions_are_no_labels(suffix, values):
    table = galaxies()
    name = f"smooth-or-featured-dr5_smooth{suffix}"
    table[name] = values
    with pytest.raises(ValueError, match=r"votes.*'smooth'.*> 0.5"):
        compare(table, name)


def test_answers_that_the_question_does_not_have():
    table = galaxies()
    table["bar-dr5"] = np.where(table["ring"], "ring", "weak")
    with pytest.raises(ValueError, match=r"question 'bar-dr5'.*strong, weak, no.*ring"):
        compare(table, "bar-dr5")


def test_few_galaxies_of_a_class_are_said():
    with pytest.warns(GalzooWarning, match="6 galaxies"):
        board = compare(galaxies(), np.arange(N) < 6)
    assert np.isnan(board["precision_at_10"]).all()
