"""A name that is spelt nearly right gets the right one suggested, wherever names are given."""

import numpy as np
import pytest
from astropy.table import Table

import galzoo_repr as gzr
from galzoo_repr._arguments import did_you_mean, some_of
from galzoo_repr.catalogue import read_embeddings, sky_positions
from galzoo_repr.cutouts import BrickSurvey
from galzoo_repr.encoders import Encoder, choose_device
from galzoo_repr.images import ImageRecipe
from galzoo_repr.questions import Schema


def galaxies() -> Table:
    rng = np.random.default_rng(3)
    embedding = rng.normal(size=(40, 4)).astype("float32")
    columns = {
        "ra": np.arange(40.0),
        "dec": np.zeros(40),
        "ring": embedding[:, 0] > 0,
        "embedding": embedding,
    }
    return Table({"name": [f"NGC {1060 + row}" for row in range(40)], **columns})


@pytest.mark.parametrize(
    ("given", "known", "said"),
    [
        ("bundle", ["bundled", "resnet50"], "; did you mean 'bundled'?"),
        ("RING", ["ring", "rings"], "; did you mean 'ring'?"),
        (" ring", ["ring"], "; did you mean 'ring'?"),
        ("rng", np.array(["ring", "bar"]), "; did you mean 'ring'?"),
        ("spiral", ["ring", "bar"], ""),
        ("ring", [], ""),
        (3, ["ring"], ""),
        (None, ["ring"], ""),
    ],
)
def test_near_names_are_suggested(given, known, said):
    assert did_you_mean(given, known) == said


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda: Encoder.load("bundle"), "bundled"),
        (lambda: Encoder.load("Bundled"), "bundled"),
        (lambda: Encoder.load("resnet5O"), "resnet50"),
        (lambda: Encoder.load("zoobot-convnext_nano"), "zoobot-encoder-convnext_nano"),
        (lambda: gzr.finetune(galaxies(), "rng"), "ring"),
        (lambda: gzr.finetune(galaxies(), "gz_decals_dr6"), "gz_decals_dr5"),
        (lambda: gzr.finetune(galaxies(), "ring", task="classez"), "classes"),
        (lambda: gzr.finetune(galaxies(), "ring", learning_rat=0.1), "learning_rate"),
        (lambda: gzr.finetune(galaxies(), "ring", member=5), "members"),
        (lambda: read_embeddings(galaxies(), "embedd1ng"), "embedding"),
        (lambda: sky_positions(galaxies(), coords=("RA", "dec")), "ra"),
        (lambda: sky_positions(galaxies(), coords="decs"), "dec"),
        (lambda: sky_positions(galaxies(), coords="ra dec"), "ra', 'dec"),
        (lambda: sky_positions(galaxies(), coords="RA,DEC"), "ra', 'dec"),
        (lambda: sky_positions(galaxies(), coords="('ra'; 'dec')"), "ra', 'dec"),
        (lambda: gzr.find_similar(galaxies(), 0, metric="cosin"), "cosine"),
        (lambda: gzr.find_similar(galaxies(), "ringg"), "ring"),
        (lambda: gzr.find_similar(galaxies(), "NGC 1O68"), "NGC 1068"),
        (lambda: gzr.add_anomaly_scores(galaxies(), "rings"), "ring"),
        (lambda: gzr.add_embeddings(galaxies(), images="rimg", overwrite=True), "ring"),
        (lambda: gzr.look(galaxies(), show=["ringo"]), "ring"),
        (lambda: Schema.load("gz_decal_dr5"), "gz_decals_dr5"),
        (lambda: Schema.load("gz_decals_dr5")["bar-dr6"], "bar-dr5"),
        (lambda: Schema.from_dict({"name": "mine", "questions": [], "campaignn": "x"}), "campaign"),
        (lambda: ImageRecipe(stretch="galaxy_zoo_decal"), "galaxy_zoo"),
        (lambda: ImageRecipe(fov_rule="fix"), "fixed"),
        (lambda: BrickSurvey(layer="ls-dr99")._known_layer("ls-dr99"), "ls-dr9"),
    ],
)
def test_errors_about_names_suggest_the_one_that_is_meant(call, meant):
    with pytest.raises((ValueError, TypeError), match=rf"did you mean .*'{meant}.*\?"):
        call()


def test_python_suggests_the_functions_of_the_package():
    with pytest.raises(AttributeError, match="add_embedings") as caught:
        gzr.add_embedings  # noqa: B018
    assert (caught.value.name, caught.value.obj) == ("add_embedings", gzr)  # by which the traceback suggests


def test_messages_list_no_more_columns_than_can_be_read():
    assert some_of([]) == "none"
    assert some_of(["ra", "dec"]) == "ra, dec"
    wide = galaxies()
    for i in range(60):
        wide[f"flux_{i}"] = 0.0
    with pytest.raises(ValueError, match=r"flux_14 and 45 more\) nor .*; did you mean 'ring'\?$"):
        gzr.finetune(wide, "rign", task="binary")


def test_a_survey_by_its_layer_is_shown_as_an_object():
    with pytest.raises(TypeError, match=r"such as LegacySurvey\(layer='ls-dr9'\)"):
        gzr.add_cutouts(galaxies(), survey="ls-dr9", fov="30 arcsec")


def test_a_device_that_is_misspelt_is_not_answered_with_all_that_torch_knows():
    with pytest.raises(
        ValueError, match=r"no such kind; did you mean 'gpu'; there is cpu, or|no such kind; .*'cpu'"
    ):
        choose_device("gppu")
