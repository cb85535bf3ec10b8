"""What is wrong with a catalogue, a folder or a process is said, and before work is done where it can be."""

import json
import os
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from astropy.table import Table

import galzoo_repr as gzr
from galzoo_repr.catalogue import columns_beside
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.hats import HatsFolder, from_hats, parts_of_job, to_hats
from galzoo_repr.hats._folder import Pixel, write_partition
from galzoo_repr.hats._job import Job

if find_spec("lsdb") is None:
    pytest.skip("the extra [hats] is not installed", allow_module_level=True)


def spoilt(galaxies, place, values=None, encoder="abc"):
    """The catalogue with other embeddings in its last partition."""
    catalogue = HatsFolder.open(to_hats(galaxies, place, max_rows=100))
    pixel = catalogue.pixels[-1]
    part = from_hats(catalogue.root)[["embedding"]][-int(catalogue.lengths[-1]) :]
    if values is not None:
        part["embedding"] = np.ones((len(part), values), dtype="float32")
    part["embedding"].info.meta = {"encoders": [encoder]}
    write_partition(columns_beside(catalogue.read(pixel), part), catalogue.path_of(pixel))
    return catalogue.root, pixel


CALLS = {
    "similarity": lambda folder, out: gzr.add_similarity(folder, 5, out=out),
    "one example": lambda folder, out: gzr.find_similar(folder, 5),
    "several": lambda folder, out: gzr.find_similar(folder, [5, 6]),
    "vector": lambda folder, out: gzr.find_similar(folder, np.ones(8)),
    "interest": lambda folder, out: gzr.add_anomaly_scores(folder, out=out),
    "unusual": lambda folder, out: gzr.add_anomaly_scores(folder, None, out=out),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("spoil", "match"),
    [({"encoder": "xyz"}, "has encoder xyz, others have abc"), ({"values": 5}, "has vectors of length 5")],
)
def test_embeddings_that_cannot_be_compared_are_found_before_work(call, spoil, match, galaxies, tmp_path):
    folder, pixel = spoilt(galaxies, tmp_path / "mixed", **spoil)
    with pytest.raises(ValueError, match=f"partition {pixel} .*{match}"):
        CALLS[call](folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_predictions_are_checked_before_work(galaxies, whole_model, tmp_path):
    folder, pixel = spoilt(galaxies, tmp_path / "mixed", encoder="xyz")
    with pytest.raises(ValueError, match=f"partition {pixel} .* has encoder xyz"):
        gzr.add_predictions(folder, whole_model, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def whole_model(folder):
    return gzr.finetune(from_hats(folder), "ring", members=2)


def test_an_id_of_several_galaxies_is_not_one(galaxies, tmp_path):
    twice = galaxies.copy()
    far = int(np.argmax(np.abs(twice["ra"] - twice["ra"][7])))
    twice["id"][far] = 7
    folder = to_hats(twice, tmp_path / "twice", max_rows=60)
    for catalogue in (from_hats(folder), folder):
        with pytest.raises(ValueError, match="2 galaxies are called '7' in column 'id'"):
            gzr.find_similar(catalogue, "7")


@pytest.mark.parametrize("how", ["twice", "within"])
def test_partitions_that_overlap_are_refused(how, folder, tmp_path):
    copied = shutil.copytree(folder, tmp_path / "copied")
    pixel = HatsFolder.open(copied).pixels[0]
    other = pixel if how == "twice" else Pixel(pixel.order + 1, 4 * pixel.number + 2)
    with (copied / "partition_info.csv").open("a") as file:
        file.write(f"{other.order},{other.number}\n")
    with pytest.raises(ValueError, match="would be there twice"):
        from_hats(copied)


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied"), OSError(30, "Read-only file system")]
)
def test_a_folder_that_cannot_be_written_is_said_at_once(error, folder, tmp_path, monkeypatch):
    from galzoo_repr.hats import _job

    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(_job.Path, "mkdir", refuse)
    with pytest.raises(
        OSError, match=rf"no catalogue can be made in .*out: {error.strerror}; give another folder"
    ):
        gzr.add_similarity(folder, 5, out=tmp_path / "out")


@pytest.mark.filterwarnings("ignore:.*rows have no embedding")
def test_a_full_disk_fails_the_partition(pictured, small_encoder, tmp_path, monkeypatch):
    from galzoo_repr.hats import _verb_on_part

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_verb_on_part, "write_partition", full)
    with pytest.warns(GalzooWarning, match="No space left"):
        gzr.add_embeddings(
            pictured, encoder=small_encoder, images="file", out=tmp_path / "out", progress=False
        )
    reasons = parts_of_job(tmp_path / "out").failed.values()
    assert all("No space left" in reason for reason in reasons)
    assert len(reasons) == len(HatsFolder.open(pictured).pixels)


HOLD = """
import sys, time
from pathlib import Path
from galzoo_repr.hats._folder import Pixel
from galzoo_repr.hats._job import Job
with Job(Path(sys.argv[1]), "add_embeddings", []).in_hand(Pixel(2, 5)):
    print("held", flush=True)
    time.sleep(100)
"""


def test_a_process_that_is_killed_leaves_its_reason(tmp_path):
    (tmp_path / ".galzoo_repr").mkdir()
    card = {"format_version": 1, "call": "add_embeddings", "pixels": [[2, 5], [2, 6]]}
    (tmp_path / ".galzoo_repr" / "job.json").write_text(json.dumps(card))
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        found = parts_of_job(tmp_path)
        assert list(found.in_hand) == ["Norder=2, Npix=5"]
        assert f"process {process.pid} on " in found.in_hand["Norder=2, Npix=5"]
        assert found.failed == {}
        with (
            pytest.raises(BlockingIOError, match="has this partition in hand"),
            Job(tmp_path, "add_embeddings", []).in_hand(Pixel(2, 5)),
        ):
            pass
        os.kill(process.pid, signal.SIGKILL)
    found = parts_of_job(tmp_path)
    assert found.in_hand == {}
    assert list(found.failed) == ["Norder=2, Npix=5"]
    assert "ended without a word" in found.failed["Norder=2, Npix=5"]
    assert f"process {process.pid} on " in found.failed["Norder=2, Npix=5"]


def test_partitions_of_unlike_columns_are_made_alike(pictured, tmp_path):
    from galzoo_repr.catalogue import to_arrow
    from galzoo_repr.hats._declare import conform, declare_complete
    from galzoo_repr.hats._folder import partition_path

    pixels = [Pixel(1, 0), Pixel(1, 1)]
    one = Table({"a": [1, 2]})
    other = Table({"a": [3], "scale": [0.5]})
    other["scale"].info.description = "of flux"
    for pixel, table in zip(pixels, (one, other), strict=True):
        write_partition(to_arrow(table), partition_path(tmp_path, pixel))
    conform(tmp_path, pixels)
    declare_complete(tmp_path, pixels, {})
    back = from_hats(tmp_path)
    assert back["a"].tolist() == [1, 2, 3]
    assert back["scale"].info.description == "of flux"
    assert np.array_equal(
        np.ma.filled(np.ma.asarray(back["scale"]), np.nan), [np.nan, np.nan, 0.5], equal_nan=True
    )


@pytest.mark.filterwarnings("ignore:.*rows have no embedding")
def test_what_was_counted_is_summed(pictured, small_encoder, tmp_path):
    out = gzr.add_embeddings(
        pictured,
        encoder=small_encoder,
        images="file",
        out=tmp_path / "out",
        embedding_store=False,
        progress=False,
    )
    record = from_hats(out).meta["galzoo_repr"]["add_embeddings"]
    assert record["summary"] == {"ok": 59, "missing": 1}
    assert record["figures"]["failed"] == 1
    scored = from_hats(gzr.add_similarity(out, 5, n=7, out=tmp_path / "scored"))
    record = scored.meta["galzoo_repr"]["add_similarity"]
    assert record["without_embedding"] == 1
    assert record["n"] == 7
    assert "partition" not in record
