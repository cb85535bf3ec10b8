"""Processes are killed in the middle, and nothing is lost."""

import os
import signal
import subprocess
import sys
import time
import warnings
from importlib.util import find_spec

import pytest

from galzoo_repr.hats import from_hats, parts_of_job
from galzoo_repr.hats._engine import run_parts
from galzoo_repr.hats._folder import Pixel
from galzoo_repr.hats._job import Job

if find_spec("lsdb") is None:
    pytest.skip("the extra [hats] is not installed", allow_module_level=True)

SLOW = """
import sys, time, warnings
warnings.simplefilter("ignore")
from galzoo_repr.hats import _verb_on_part as verbs, add_embeddings
write = verbs.write_partition
def slowly(arrow, path):
    time.sleep(0.4)
    write(arrow, path)
verbs.write_partition = slowly
add_embeddings(sys.argv[1], encoder=sys.argv[2], images="file", out=sys.argv[3], embedding_store=False, progress=False)
"""


@pytest.mark.filterwarnings("ignore:.*rows have no embedding")
def test_a_call_that_is_killed_goes_on(pictured, small_encoder, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-c", SLOW, str(pictured), str(small_encoder), str(out)]
    with subprocess.Popen(command) as process:
        until(lambda: process.poll() is not None or len(done(out)) >= 2)
        process.kill()
    first = {file: file.stat().st_mtime_ns for file in done(out)}
    assert len(first) >= 2
    assert parts_of_job(out).missing
    assert subprocess.run(command, check=False).returncode == 0
    assert {file: file.stat().st_mtime_ns for file in first} == first
    assert len(from_hats(out)) == 60
    assert not list(out.rglob("*.part*"))


def done(out):
    return list(out.glob("dataset/*/*/Npix=*.parquet"))


def until(happened, seconds=600):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def client():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
        with (
            dask.config.set({"distributed.scheduler.allowed-failures": 1}),
            distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


@pytest.mark.filterwarnings("ignore")
def test_a_worker_that_is_killed_costs_its_partition_once(client, tmp_path):
    def work(pixel):
        begun = tmp_path / f"{pixel.number}.{len(list(tmp_path.glob(f'{pixel.number}.*')))}"
        begun.touch()
        time.sleep(0.1)
        if begun.name == "3.0":
            os.kill(os.getpid(), signal.SIGKILL)
        return 1, pixel.number

    pixels = [Pixel(4, number) for number in range(12)]
    outcomes = run_parts(work, pixels, client=client, progress=False)
    assert sorted(outcome.result for outcome in outcomes) == list(range(12))
    # The one that was in hand, and one that was done but not yet told of, which a job finds done.
    assert len(list(tmp_path.iterdir())) <= 14


def test_what_is_done_but_not_told_of_is_not_done_again(folder, tmp_path):
    from galzoo_repr.hats import HatsFolder
    from galzoo_repr.hats._verb_on_part import VerbOnPart

    catalogue = HatsFolder.open(folder)
    job = Job(tmp_path, "add_similarity", catalogue.pixels)
    path = job.path_of(catalogue.pixels[0])
    path.parent.mkdir(parents=True)
    path.write_bytes(catalogue.path_of(catalogue.pixels[0]).read_bytes())
    told = VerbOnPart("no such verb", catalogue, job)(catalogue.pixels[0])
    assert told == (catalogue.lengths[0], None)


@pytest.mark.filterwarnings("ignore")
def test_a_partition_that_kills_every_worker_is_noted(client, tmp_path):
    def work(pixel):
        if pixel.number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return 1, None

    pixels = [Pixel(4, number) for number in range(4)]
    job = Job(tmp_path, "add_embeddings", pixels)
    run_parts(work, pixels, job=job, client=client, progress=False)
    assert "give the workers more" in job.reason_of(pixels[1])
    assert not any(job.reason_of(pixel) for pixel in pixels if pixel.number != 1)
