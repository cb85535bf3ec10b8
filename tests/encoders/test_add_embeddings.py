"""The column of embeddings, from a survey, from files and from arrays."""

import numpy as np
import pytest
import torch
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, Table, vstack
from PIL import Image

from galzoo_repr import Encoder, GalzooWarning, ImageRecipe, add_cutouts, add_embeddings
from galzoo_repr.catalogue import provenance
from galzoo_repr.images import read_image


@pytest.fixture
def embed(encoder, survey):
    """Call add_embeddings with the tiny encoder and the survey in the process."""

    def call(table, **options):
        options = {"encoder": encoder, "survey": survey, "progress": False, **options}
        return add_embeddings(table, **options)

    return call


@pytest.fixture
def arrays():
    """Five RGB images, (5, 40, 40, 3) uint8."""
    coarse = np.random.default_rng(2).integers(0, 255, (5, 8, 8, 3), dtype=np.uint8)
    return coarse.repeat(5, axis=1).repeat(5, axis=2)


def has_embedding(table, name="embedding"):
    return np.isfinite(np.asarray(table[name])).all(axis=1)


# --- from the sky ---


@pytest.mark.parametrize("kind", [Table, QTable])
def test_every_row_gets_an_embedding(kind, embed, galaxies, survey, encoder):
    galaxies = kind(galaxies)
    before = galaxies.copy()
    result = embed(galaxies)
    assert type(result) is kind
    assert result.colnames == [*galaxies.colnames, "cutout", "cutout_status", "embedding"]
    assert (result["embedding"].shape, result["embedding"].dtype) == ((6, encoder.dim), np.float32)
    assert has_embedding(result).all()
    assert (result["cutout_status"] == "ok").all()
    assert galaxies.colnames == before.colnames
    assert galaxies.meta == before.meta
    assert len(survey.asked) == 5, "the repeated galaxy is fetched once"
    np.testing.assert_array_equal(result["embedding"][5], result["embedding"][0])


def test_embedding_is_that_of_the_cutout(embed, galaxies, encoder):
    result = embed(galaxies)
    images = [read_image(path) for path in result["cutout"]]
    expected = encoder.embed(encoder.recipe.prepare(images))
    np.testing.assert_allclose(result["embedding"], expected, rtol=1e-3, atol=1e-4)
    spread = np.asarray(result["embedding"][:5]).std(axis=0).max()
    assert spread > 10 * np.abs(result["embedding"] - expected).max()


def test_field_of_view_comes_from_radii_or_from_the_user(embed, galaxies, survey):
    embed(galaxies)
    # 424 px times 0.04 of the radius, at 0.262 arcsec.
    assert {request.ra: request.size for request in survey.asked}[30.0] == np.ceil(424 * 0.04 * 4.0 / 0.262)
    survey.asked.clear()
    embed(galaxies, fov=[20, 21, 22, 23, 24, 20] * u.arcsec)
    assert sorted(request.size for request in survey.asked) == [77, 81, 84, 88, 92]


def test_bare_positions_need_a_field_of_view(embed):
    positions = SkyCoord([10, 20] * u.deg, [1, 2] * u.deg).galactic
    result = embed(positions, fov=20 * u.arcsec)
    assert isinstance(result, QTable)
    assert has_embedding(result).all()
    with pytest.raises(ValueError, match=r"fov=.30 arcsec"):
        embed(positions)
    with pytest.raises(TypeError, match=r"such as 30 \* u.arcsec"):
        embed(positions, fov=30)


@pytest.mark.filterwarnings("ignore:.* rows have no ")
def test_rows_that_fail_have_a_status_and_no_embedding(embed, galaxies, survey):
    galaxies["dec"] = [1.0, 85.0, np.nan, 4.0, 5.0, 1.0]
    galaxies["petro_th50"] = MaskedColumn(galaxies["petro_th50"], mask=[0, 0, 0, 1, 0, 0])
    survey.missing_at = {50.0: 0.4, 10.0: 0.05}
    result = embed(galaxies)
    expected = ["partial", "no_coverage", "bad_position", "bad_position", "partial", "partial"]
    assert list(result["cutout_status"]) == expected
    # A fifth of a band missing is too much; less is not.
    assert has_embedding(result).tolist() == [True, False, False, False, False, True]
    assert np.isnan(np.asarray(result["embedding"])[1:5]).all()
    assert result["cutout"][1] == ""
    failed = provenance(result, "add_embeddings")["failed"]
    assert sorted(failed) == ["1", "2", "3", "4"]
    assert "of band g has no data" in failed["4"]


def test_rows_that_failed_before_are_warned_of_as_well(embed, galaxies, survey):
    galaxies["dec"] = [1.0, 85.0, 86.0, 4.0, 5.0, 1.0]
    with pytest.warns(GalzooWarning, match="rows have no cutout"):
        galaxies = add_cutouts(galaxies, survey=survey, progress=False)
    words = r"2 of 6 rows have no embedding \(no_coverage 2\); .* in row 1: the position lies outside"
    with pytest.warns(GalzooWarning, match=words):
        embed(galaxies)


@pytest.mark.parametrize("rows", [0, 1])
def test_empty_table_and_single_row(rows, embed, galaxies, encoder):
    result = embed(galaxies[:rows])
    assert result["embedding"].shape == (rows, encoder.dim)
    assert (len(result["cutout"]), len(result["cutout_status"])) == (rows, rows)
    assert has_embedding(result).all()


@pytest.mark.parametrize("rows", [0, 1])
def test_table_without_positions_is_refused(rows, embed):
    with pytest.raises(ValueError, match="position"):
        embed(Table({"name": ["a"]})[:rows], fov=20 * u.arcsec)


@pytest.mark.parametrize("name", ["", None, 3])
def test_column_without_a_name_is_refused(name, embed, galaxies):
    with pytest.raises(TypeError, match="no name of a column"):
        embed(galaxies, name=name)


def test_cutouts_at_hand_are_used(embed, galaxies, survey):
    with_cutouts = add_cutouts(galaxies, survey=survey, progress=False)
    survey.asked.clear()
    del with_cutouts["petro_th50"]
    result = embed(with_cutouts)
    assert survey.asked == []
    assert has_embedding(result).all()
    assert list(result["cutout"]) == list(with_cutouts["cutout"])


def test_cutouts_of_several_layers_are_mixed_only_when_asked_for(embed, galaxies, survey):
    first = add_cutouts(galaxies[:3], survey=survey, progress=False)
    survey.layer = "ls-dr9"
    second = add_cutouts(galaxies[3:5], survey=survey, progress=False)
    both = vstack([first, second], metadata_conflicts="silent")
    with pytest.raises(
        ValueError, match=r"cutouts are of ls-dr10 by viewer, ls-dr9 by viewer.*mixed_routes=True"
    ):
        embed(both)
    with pytest.raises(ValueError, match="mixed_routes"):
        embed(vstack([first, galaxies[3:5]], metadata_conflicts="silent"))
    mixed = embed(both, mixed_routes=True)
    assert has_embedding(mixed).all()
    assert provenance(mixed, "add_embeddings")["layer"] == ["ls-dr10", "ls-dr9"]
    alone = embed(first)
    assert provenance(alone, "add_embeddings")["layer"] == "ls-dr10"


@pytest.mark.filterwarnings("ignore:.* rows have no ")
def test_cutouts_that_are_missing_are_fetched(embed, galaxies, survey):
    with_cutouts = add_cutouts(galaxies, survey=survey, progress=False)
    paths = with_cutouts["cutout"].astype("U200")
    paths[1:3] = ["/gone/away.fits", ""]
    statuses = with_cutouts["cutout_status"].astype("U20")
    statuses[2], statuses[3] = "timeout", "no_coverage"
    paths[3] = ""
    with_cutouts["cutout"], with_cutouts["cutout_status"] = paths, statuses
    result = embed(with_cutouts, fov=[20, 20, 20, 20, 20, 20] * u.arcsec)
    assert list(result["cutout_status"]) == ["ok", "ok", "ok", "no_coverage", "ok", "ok"]
    assert has_embedding(result).tolist() == [True, True, True, False, True, True]
    assert {request.ra for request in survey.asked[5:]} == {20.0, 30.0}


# --- from files and arrays ---


@pytest.mark.filterwarnings("ignore:.* rows have no ")
def test_files_named_by_a_column(embed, arrays, tmp_path, survey, encoder):
    paths = [str(tmp_path / f"{row}.png") for row in range(5)]
    for path, pixels in zip(paths, arrays, strict=True):
        Image.fromarray(pixels).save(path)
    (tmp_path / "3.png").write_bytes(b"<html>")
    table = Table({"file_loc": [*paths, str(tmp_path / "none.png"), "", paths[0]]})
    result = embed(table, images="file_loc")
    assert list(result["cutout_status"]) == ["ok", "ok", "ok", "corrupt", "ok", "missing", "missing", "ok"]
    assert has_embedding(result).tolist() == [True, True, True, False, True, False, False, True]
    np.testing.assert_array_equal(result["embedding"][7], result["embedding"][0])
    assert result["cutout"][1] == paths[1]
    expected = encoder.embed(encoder.recipe.prepare([read_image(paths[1])]))
    np.testing.assert_allclose(result["embedding"][1], expected[0], rtol=1e-3, atol=1e-4)
    assert survey.asked == []
    listed = embed(Table({"id": range(5)}), images=[*paths])
    np.testing.assert_array_equal(listed["embedding"][:3], result["embedding"][:3])


@pytest.mark.parametrize(
    "form",
    [
        lambda images: images,
        lambda images: np.moveaxis(images, -1, 1),
        lambda images: images / 255,
        lambda images: torch.from_numpy(images).permute(0, 3, 1, 2),
        lambda images: list(images),
        lambda images: [Image.fromarray(one) for one in images],
        lambda images: np.concatenate([images, np.full_like(images[..., :1], 255)], axis=-1),
    ],
    ids=["last", "first", "float", "tensor", "list", "pillow", "rgba"],
)
def test_arrays_in_every_form(form, embed, arrays, encoder):
    result = embed(Table({"id": range(5)}), images=form(arrays))
    prepared = encoder.recipe.from_rgb(torch.from_numpy(arrays).permute(0, 3, 1, 2))
    np.testing.assert_allclose(result["embedding"], encoder.embed(prepared), rtol=1e-3, atol=1e-4)
    assert list(result["cutout"]) == [""] * 5


@pytest.mark.filterwarnings("ignore:.* rows have no ")
def test_arrays_of_different_sizes_and_grey_ones(embed, arrays):
    images = [arrays[0], arrays[1, :30, :20], arrays[2, ..., 0], np.full((9, 9, 3), np.nan)]
    result = embed(Table({"id": range(4)}), images=images)
    assert list(result["cutout_status"]) == ["ok", "ok", "ok", "corrupt"]
    assert has_embedding(result).tolist() == [True, True, True, False]


def test_images_in_a_column_of_the_table(embed, arrays):
    result = embed(Table({"picture": arrays}), images="picture")
    assert has_embedding(result).all()


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        ("file_loc", ValueError, "names no column"),
        (np.zeros((4, 9, 9, 3), np.uint8), ValueError, "holds 4 images, but the catalogue has 5 rows"),
        (np.zeros((5, 9, 9, 7)), ValueError, "no axis of 3 colours"),
        (np.zeros((5, 9)), TypeError, "array or tensor of 2 or 3 axes"),
        (np.zeros((5, 9, 9, 3), int), TypeError, "must be uint8 in 0 to 255"),
        (np.full((5, 9, 9, 3), 200.0), ValueError, "divide by 255"),
        (7, TypeError, "not int"),
        (b"12345", TypeError, "not bytes"),
    ],
)
def test_images_that_are_none_are_refused(images, error, message, embed):
    with pytest.raises(error, match=message):
        embed(Table({"id": range(5)}), images=images)


def test_a_network_without_finite_numbers_is_told(embed, arrays, encoder):
    next(encoder.model.parameters()).data.fill_(np.nan)
    words = r"5 of 5 rows have no embedding \(corrupt 5\); .*in row 0: the stretch or the network gives .* not finite"
    with pytest.warns(GalzooWarning, match=words):
        embed(Table({"id": range(5)}), images=arrays)


# --- columns and provenance ---


def test_columns_are_not_replaced_unasked(embed, arrays, make_network, encoder):
    table = Table({"id": range(5)})
    result = embed(table, images=arrays)
    with pytest.raises(ValueError, match="'embedding', made by encoder 'tiny'; pass overwrite=True"):
        embed(result, images=arrays)
    other = Encoder(make_network(seed=1), encoder.recipe, name="other")
    replaced = embed(result, images=arrays, encoder=other, overwrite=True)
    assert np.abs(replaced["embedding"] - result["embedding"]).max() > 1e-3
    assert replaced["embedding"].info.meta["encoders"] == [other.digest]
    with pytest.raises(ValueError, match="cutout, cutout_status, which images would replace"):
        embed(result, images=arrays, name="second")
    second = embed(replaced, images=arrays, name="second", overwrite=True)
    np.testing.assert_allclose(second["second"], result["embedding"], rtol=1e-3, atol=1e-4)


def test_provenance_says_how_it_was_made(embed, galaxies, encoder, survey):
    result = embed(galaxies, fov=30 * u.arcsec)
    facts = provenance(result, "add_embeddings")
    assert (facts["encoder"], facts["encoder_digest"]) == ("tiny", encoder.digest)
    assert facts["recipe_digest"] == encoder.recipe.digest
    assert (facts["survey"], facts["layer"], facts["route"]) == (survey.server, "ls-dr10", "viewer")
    assert facts["fov"] == "30.0 arcsec"
    assert facts["name"] == "embedding"
    assert ImageRecipe.from_dict(facts["recipe"]) == encoder.recipe
    assert facts["summary"] == {"ok": 6}
    assert result.meta["GZRENCD"] == encoder.digest
    assert result.meta["GZRRECIP"] == encoder.recipe.digest
    assert "tiny" in result["embedding"].info.description


@pytest.mark.parametrize("batch_size", [0, True, -1, 2.5, "8"])
def test_batch_size_must_be_positive(batch_size, embed, galaxies):
    with pytest.raises(ValueError, match="batch_size must be a whole number from 1"):
        embed(galaxies, batch_size=batch_size)


def test_saved_encoder_by_folder(embed, encoder, arrays, tmp_path):
    encoder.save(tmp_path / "encoder")
    table = Table({"id": range(5)})
    by_folder = embed(table, images=arrays, encoder=tmp_path / "encoder", embedding_store=False)
    np.testing.assert_allclose(
        by_folder["embedding"], embed(table, images=arrays)["embedding"], rtol=1e-3, atol=1e-4
    )


# --- what was computed is kept ---


@pytest.fixture
def count_encoded(monkeypatch):
    """Number of images that went through a network."""
    counts = []
    original = Encoder.embed

    def counting(self, images, **options):
        counts.append(len(images))
        return original(self, images, **options)

    monkeypatch.setattr(Encoder, "embed", counting)
    return lambda: sum(counts)


def test_second_run_computes_only_what_is_missing(embed, galaxies, survey, count_encoded):
    first = embed(galaxies[:3])
    assert (count_encoded(), len(survey.asked)) == (3, 3)
    again = embed(galaxies)
    assert (count_encoded(), len(survey.asked)) == (5, 5)
    np.testing.assert_array_equal(again["embedding"][:3], first["embedding"])
    embed(galaxies)
    assert count_encoded() == 5


def test_interrupted_run_goes_on_where_it_was(embed, galaxies, survey, count_encoded, monkeypatch):
    from galzoo_repr.encoders import _stream

    monkeypatch.setattr(_stream, "_ROWS_PER_BATCH", 1)
    survey.workers = 1
    answer = type(survey).attempt

    def failing(self, request, **options):
        if request.ra == 40.0:
            raise RuntimeError("the machine trips over its cable")
        return answer(self, request, **options)

    monkeypatch.setattr(type(survey), "attempt", failing)
    with pytest.raises(RuntimeError, match="trips over"):
        embed(galaxies)
    monkeypatch.setattr(type(survey), "attempt", answer)
    result = embed(galaxies)
    assert has_embedding(result).all()
    assert count_encoded() == 5
    assert sorted(request.ra for request in survey.asked) == [10.0, 20.0, 30.0, 40.0, 50.0]


def test_equal_images_are_encoded_once(embed, arrays, count_encoded):
    images = [*arrays, *arrays]
    result = embed(Table({"id": range(10)}), images=images, embedding_store=False)
    assert count_encoded() == 5
    np.testing.assert_array_equal(result["embedding"][:5], result["embedding"][5:])


@pytest.mark.parametrize("rows", [1, 64, 130])
def test_many_batches_keep_their_rows(rows, embed, encoder):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (rows, 6, 6, 3), dtype=np.uint8)
    result = embed(Table({"id": range(rows)}), images=images, batch_size=7)
    expected = encoder.embed(encoder.recipe.from_rgb(torch.from_numpy(images).permute(0, 3, 1, 2)))
    np.testing.assert_allclose(result["embedding"], expected, rtol=1e-2, atol=1e-3)


def test_other_encoder_and_other_recipe_share_nothing(embed, arrays, make_network, encoder, count_encoded):
    table = Table({"id": range(5)})
    embed(table, images=arrays)
    embed(table, images=arrays, encoder=Encoder(encoder.model, ImageRecipe(size=64), name="tiny"))
    embed(table, images=arrays, encoder=Encoder(encoder.model, encoder.recipe, name="tiny", views=2))
    assert count_encoded() == 15


def test_store_that_cannot_be_written_costs_only_time(embed, arrays, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.warns(GalzooWarning, match="computed but not kept"):
        result = embed(Table({"id": range(5)}), images=arrays, embedding_store=tmp_path / "file")
    assert has_embedding(result).all()


def test_progress_bar_counts_galaxies(embed, arrays, capsys):
    embed(Table({"id": range(5)}), images=arrays, progress=True)
    assert "5/5" in capsys.readouterr().err
    embed(Table({"id": range(5)}), images=arrays, progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.real_data
def test_real_cutouts_get_embeddings_or_a_status(real_data, embed):
    paths = sorted((real_data / "decals_fits").iterdir())
    with pytest.warns(GalzooWarning, match=r"2 of \d+ rows have no embedding \(partial 1, truncated 1\)"):
        result = embed(Table({"file_loc": [str(path) for path in paths]}), images="file_loc")
    failed = {path.name for path, good in zip(paths, has_embedding(result), strict=True) if not good}
    assert failed == {"galaxy_bad_pix.fits", "truncated.fits"}
