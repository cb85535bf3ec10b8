"""What to cite follows from what a catalogue was made with."""

import re

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Table

import galzoo_repr as gzr
from galzoo_repr.catalogue import cite, read_catalogue, record_provenance, write_catalogue


def keys(text: str) -> list[str]:
    return re.findall(r"^@\w+\{([^,]+),", text, re.MULTILINE)


def made_with(**facts: str) -> Table:
    table = Table({"ra": [1.0], "dec": [2.0], "embedding": np.ones((1, 4), "float32")})
    record_provenance(table, "add_embeddings", {"encoder": "bundled", "layer": "ls-dr10", **facts})
    return table


METHOD = ["galzoo_repr", "walmsley2022representations", "walmsley2022decals"]
ASTROPY = ["astropy:2022", "astropy:2018", "astropy:2013"]
ASTROQUERY = "2019AJ....157...98G"


def test_without_a_catalogue_what_most_work_uses_is_cited():
    text = cite()
    assert keys(text) == [
        *METHOD,
        *("dey2019legacy", ASTROQUERY, "tan2019efficientnet", "wightman2019timm"),
        *ASTROPY,
        "pedregosa2011sklearn",
    ]
    assert f"version = {{{gzr.__version__}}}" in text
    assert "legacysurvey.org/acknowledgment" in text


@pytest.mark.parametrize(
    "name", ["zoobot-encoder-convnext_nano", "hf-hub:mwalmsley/zoobot-encoder-maxvit_tiny"]
)
def test_a_zoobot_encoder_is_cited_as_zoobot(name):
    found = keys(cite(made_with(encoder=name)))
    assert "walmsley2023zoobot" in found
    assert "tan2019efficientnet" not in found
    assert "wightman2019timm" in found


def test_an_encoder_of_others_is_named():
    assert "% The encoder is resnet50: cite those who trained it" in cite(made_with(encoder="resnet50"))


@pytest.mark.parametrize(
    ("layer", "survey"),
    [
        ("ls-dr9", True),
        ("CDS/P/DESI-Legacy-Surveys/DR10", True),
        ("CDS/P/PanSTARRS/DR1", False),
        ("hsc-dr3", False),
    ],
)
def test_the_survey_of_the_images_is_cited(layer, survey):
    text = cite(made_with(layer=layer))
    assert ("dey2019legacy" in keys(text)) == survey
    assert (f"% The images are of {layer}" in text) != survey
    assert ASTROQUERY in keys(text)


def test_images_of_ones_own_come_from_no_survey():
    text = cite(made_with(layer=""))
    assert not {"dey2019legacy", ASTROQUERY} & set(keys(text))
    assert "% The images did not come from a survey" in text


@pytest.mark.parametrize(
    ("call", "facts", "key"),
    [
        ("add_anomaly_scores", {"method": "gaussian_process_steady"}, "pedregosa2011sklearn"),
        ("add_predictions_ring", {"label": "ring"}, "pedregosa2011sklearn"),
        ("neighbour_table", {"method": "pynndescent"}, "dong2011nndescent"),
        ("add_map", {"method": "umap"}, "mcinnes2018umap"),
    ],
)
def test_programs_are_cited_where_they_were_used(call, facts, key):
    table = made_with()
    assert key not in keys(cite(table))
    record_provenance(table, call, facts)
    assert key in keys(cite(table))


@pytest.mark.parametrize("ending", ["ecsv", "parquet", "fits", "vot"])
def test_a_file_keeps_what_to_cite(tmp_path, ending):
    path = tmp_path / f"galaxies.{ending}"
    write_catalogue(made_with(encoder="zoobot-encoder-convnext_nano"), path)
    found = keys(cite(read_catalogue(path)))
    assert {"walmsley2023zoobot", "dey2019legacy"} <= set(found)


@pytest.mark.parametrize("meta", [{}, {"galzoo_repr": "lost"}, {"galzoo_repr": {"add_embeddings": None}}])
def test_a_table_that_records_nothing_is_cited_for_the_package(meta):
    table = QTable({"ra": [1.0]}, meta=meta)
    assert keys(cite(table)) == [*METHOD, *ASTROPY]
    assert keys(cite(SkyCoord([1], [2], unit="deg"))) == [*METHOD, *ASTROPY]


def test_what_is_no_catalogue_is_refused():
    with pytest.raises(TypeError, match="Table"):
        cite("galaxies.fits")


def test_every_entry_is_whole():
    for table in (None, made_with(encoder="zoobot-encoder-resnet50")):
        text = cite(table)
        entries = re.split(r"^(?=@)", text, flags=re.MULTILINE)[1:]
        assert all(each.count("{") == each.count("}") for each in entries)
        assert all(re.search(r"\btitle\s*=", each) for each in entries)
        assert len(set(keys(text))) == len(keys(text))
