"""An index of each partition finds what the exact search finds, and is never that of other content."""

import os
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from astropy import units as u

import galzoo_repr as gzr
from galzoo_repr.hats import HatsFolder, _indices, from_hats, to_hats
from galzoo_repr.hats._folder import partition_path, write_partition

if find_spec("hats") is None:
    pytest.skip("the extra [hats] is not installed", allow_module_level=True)


@pytest.fixture
def place(tmp_path):
    return tmp_path / "indices"


def times(place):
    return {path: path.stat().st_mtime_ns for path in place.glob("*/vectors*.npy")}


@pytest.mark.parametrize(
    ("query", "options"),
    [
        (11, {}),
        ([120, 30, 240], {}),
        ([120, 30, 240], {"weights": [1.0, 2.0, 0.5], "combine": "mean"}),
        ([120, 30, 240], {"combine": "best"}),
        ([120, 30], {"negatives": [3, 200]}),
        ("chosen", {"min_separation": 15 * u.deg}),
        (11, {"include_query": True}),
        (np.ones(8), {}),
    ],
)
def test_few_galaxies_are_found_exactly(query, options, folder, place):
    exact = gzr.find_similar(folder, query, 30, **options)
    for _ in range(2):
        found = gzr.find_similar(folder, query, 30, index=place, **options)
        assert found["row"].tolist() == exact["row"].tolist()
        np.testing.assert_allclose(found["similarity"], exact["similarity"], atol=1e-6)
        assert found.meta["galzoo_repr"]["find_similar"]["index"] == "of each partition"


@pytest.mark.skipif(
    not os.environ.get("GALZOO_SLOW_TESTS"),
    reason="compiles pynndescent for a minute; set GALZOO_SLOW_TESTS=1",
)
def test_a_graph_finds_nearly_all(galaxies, place, tmp_path, monkeypatch):
    pytest.importorskip("pynndescent")
    monkeypatch.setattr(_indices, "_GRAPH", 300)
    random = np.random.default_rng(5)
    table = galaxies[np.arange(1600) % len(galaxies)]
    table["ra"], table["dec"] = random.uniform(10, 100, 1600), random.uniform(-30, 30, 1600)
    table["embedding"] = random.normal(size=(1600, 8)).astype("float32")
    folder = to_hats(table, tmp_path / "survey", max_rows=1000)
    recall = []
    for row in range(0, 1600, 160):
        exact, found = (gzr.find_similar(folder, row, 50, **how) for how in ({}, {"index": place}))
        recall.append(len(set(exact["row"]) & set(found["row"])) / 50)
        assert len(found) == 50
    assert any(gzr.SimilarityIndex.open(path.parent).has_graph for path in times(place))
    assert np.mean(recall) > 0.95


def test_an_index_is_used_again_until_its_partition_is_another(galaxies, place, tmp_path):
    folder = to_hats(galaxies, tmp_path / "survey", max_rows=100)
    gzr.find_similar(folder, 11, 20, index=place)
    before = times(place)
    catalogue = HatsFolder.open(folder)
    assert len(before) == len(catalogue.pixels)
    os.utime(partition_path(folder, catalogue.pixels[0]))  # copied: another time, the same content
    gzr.find_similar(folder, 12, 20, index=place)
    assert times(place) == before
    pixel = catalogue.pixels[1]
    arrow = catalogue.read(pixel)
    # The same rows in another order, so that counts, sizes and extremes stay.
    write_partition(arrow.take(np.arange(len(arrow))[::-1]), partition_path(folder, pixel))
    exact, found = (gzr.find_similar(folder, 11, 20, **how) for how in ({}, {"index": place}))
    assert found["row"].tolist() == exact["row"].tolist()
    assert len(set(before) & set(times(place))) >= len(before) - 1
    damaged = next(iter(times(place)))
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert gzr.find_similar(folder, 11, 20, index=place)["row"].tolist() == exact["row"].tolist()


def test_it_is_kept_in_the_folder_of_the_catalogue(galaxies, tmp_path):
    folder = to_hats(galaxies, tmp_path / "survey", max_rows=100)
    gzr.find_similar(folder, 11, index=True)
    assert len(times(folder / ".galzoo_repr" / "index")) == len(HatsFolder.open(folder).pixels)
    assert from_hats(folder).colnames == galaxies.colnames


def test_partitions_without_embeddings_have_none(galaxies, place, tmp_path):
    folder = shutil.copytree(to_hats(galaxies, tmp_path / "whole", max_rows=100), tmp_path / "survey")
    catalogue = HatsFolder.open(folder)
    arrow = catalogue.read(catalogue.pixels[0])
    write_partition(arrow.slice(0, 0), partition_path(folder, catalogue.pixels[0]))
    for _ in range(2):
        found = gzr.find_similar(folder, np.ones(8), 20, index=place)
        assert found["row"].tolist() == gzr.find_similar(folder, np.ones(8), 20)["row"].tolist()


KILL = """
import os, signal, sys
from galzoo_repr.hats import _indices, find_similar
if sys.argv[3] == "before":
    _indices.publish = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
elif sys.argv[3] == "while":
    _indices.SimilarityIndex.save = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
find_similar(sys.argv[1], 11, 20, index=sys.argv[2], progress=False)
"""


@pytest.mark.parametrize("card", ["[]", "null", "{", '{"stamp": 1, "rows": "x"}'])
def test_odd_cards_are_written_anew(card, folder, place):
    exact = gzr.find_similar(folder, 11, 20, index=place)["row"].tolist()
    path = next(place.glob("*.json"))
    good = path.read_text()
    path.write_text(card)
    assert gzr.find_similar(folder, 11, 20, index=place)["row"].tolist() == exact
    assert path.read_text() == good


def test_kills_and_two_at_once(folder, place):
    exact = gzr.find_similar(folder, 11, 20)["row"].tolist()
    for when in ("while", "before"):
        command = [sys.executable, "-c", KILL, str(folder), str(place), when]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    command[-1] = "never"
    with subprocess.Popen(command) as one, subprocess.Popen(command) as other:
        pass
    assert (one.returncode, other.returncode) == (0, 0)
    assert gzr.find_similar(folder, 11, 20, index=place)["row"].tolist() == exact


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"index": object()}, "an index for each partition: index=True"),
        ({"within": 60 * u.deg}, "within= cannot be used with index="),
        ({"components": 4}, "components= cannot be used"),
        ({"metric": "euclidean"}, "metric= cannot be used"),
        ({"combine": "best", "negatives": [3]}, "combine='best' with negatives="),
    ],
)
def test_what_an_index_cannot_know_is_refused(options, match, folder, place):
    with pytest.raises(ValueError, match=match):
        gzr.find_similar(folder, [5, 6], **{"index": place, **options})


def test_a_place_that_cannot_be_made_is_said(folder, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="no indices can be kept in"):
        gzr.find_similar(folder, 5, index=tmp_path / "file" / "indices")
