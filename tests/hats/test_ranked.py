"""Ranks are filled into partitions that are written already; whatever is killed, or done twice at once."""

import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import galzoo_repr as gzr
from galzoo_repr.hats import HatsFolder, add_similarity, from_hats, parts_of_job
from galzoo_repr.hats._folder import partition_path, write_partition
from galzoo_repr.hats._later import fill_in

if find_spec("lsdb") is None:
    pytest.skip("the extra [hats] is not installed", allow_module_level=True)

CALL = """
import os, signal, sys, time
from galzoo_repr.hats import _engine, _later, _ranks, _verb_on_part, _verbs, add_similarity
def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
{before}
add_similarity(sys.argv[1], 11, out=sys.argv[2], progress=False)
"""


def run(folder, out, before=""):
    command = [sys.executable, "-c", CALL.format(before=before), str(folder), str(out)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def expected(folder):
    return gzr.add_similarity(from_hats(folder), 11)


def check(out, expected):
    found = from_hats(out)
    assert np.array_equal(found["id"], expected["id"])
    assert np.array_equal(found["similarity_rank"], expected["similarity_rank"])
    assert not list(out.rglob("*.part*"))


@pytest.mark.parametrize("rows", [0, 1, 300, 150_000])
def test_values_are_filled_in(rows, tmp_path):
    random = np.random.default_rng(rows)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(random.random(2 * rows)), 2)
    arrow = pa.table(
        {
            "name": pa.array([f"g{i % 7}" for i in range(rows)], pa.string()),
            "my.rank": np.zeros(rows, dtype=np.int64),
            "vector": vectors,
            "flux": random.random(rows),
        }
    )
    aside, done = tmp_path / "aside.parquet", tmp_path / "there" / "done.parquet"
    write_partition(arrow, aside, later="my.rank")
    ranks = random.permutation(rows) - 1
    fill_in(aside, ranks, done)
    assert not aside.exists()
    back = parquet.read_table(done)
    assert back.equals(arrow.set_column(1, "my.rank", pa.array(ranks)))
    # No program takes what stood there before for the extremes of the column.
    low = parquet.read_table(done, filters=[("my.rank", "<", 5)])
    assert len(low) == (ranks < 5).sum()
    with parquet.ParquetFile(done) as file:
        groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
    assert not any(
        group.column(1).is_stats_set and group.column(1).statistics.has_min_max for group in groups
    )


STEPS = {
    "while it scores": """
write = _verb_on_part.write_partition
def twice(*a, **k):
    write(*a, **k)
    if len(list(a[1].parent.glob("*.parquet"))) == 2: kill()
_verb_on_part.write_partition = twice
""",
    "when scores are kept and the partition is not": """
_verb_on_part.write_partition = kill
""",
    "in the middle of ranking": """
import numpy
_ranks.np.searchsorted = kill
""",
    "in the middle of filling in": """
class Half:
    def __init__(self, values):
        self.half = values.tobytes()[: values.nbytes // 2 + 3]
    def __getitem__(self, cut):
        os.fsync = kill
        return self.half
_later.memoryview = Half
""",
    "when it is filled in and not in its place": """
replace = os.replace
os.replace = lambda a, b: kill() if "dataset" in str(b) else replace(a, b)
""",
    "when one is in its place": """
replace = os.replace
def then(a, b):
    replace(a, b)
    if "dataset" in str(b): kill()
os.replace = then
""",
    "before it is declared": """
from galzoo_repr.hats import _job
_job.declare_complete = kill
""",
}


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_costs_nothing(step, folder, expected, tmp_path):
    out = tmp_path / "out"
    with run(folder, out, STEPS[step]) as process:
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    with pytest.raises(ValueError, match="is not finished"):
        from_hats(out)
    for done in out.glob("dataset/*/*/Npix=*.parquet"):
        assert (parquet.read_table(done)["similarity_rank"].to_numpy() <= len(expected)).all()
    add_similarity(folder, 11, out=out, progress=False)
    check(out, expected)


@pytest.mark.parametrize("scored", [False, True])
def test_two_at_once_rank_once(scored, folder, expected, tmp_path):
    out = tmp_path / "out"
    if scored:
        add_similarity(folder, 11, out=out, progress=False, part=(1, 1))
    slowly = """
rank_all = _verbs.rank_all
def slow(*a):
    print("ranked", flush=True, file=sys.stderr); time.sleep(1); rank_all(*a)
_verbs.rank_all = slow
"""
    with run(folder, out, slowly) as one, run(folder, out, slowly) as other:
        said = one.communicate()[1] + other.communicate()[1]
    assert (one.returncode, other.returncode) == (0, 0), said
    assert said.count("ranked") == 1
    assert "Warning" not in said
    check(out, expected)


def test_scores_outlive_a_partition_that_is_damaged(folder, expected, tmp_path):
    broken, out = shutil.copytree(folder, tmp_path / "broken"), tmp_path / "out"
    pixels = HatsFolder.open(broken).pixels
    add_similarity(broken, 11, out=out, progress=False, part=(1, len(pixels)))
    bad = partition_path(broken, pixels[-1])
    whole = bad.read_bytes()
    bad.write_bytes(whole[: len(whole) // 2] + b"PAR1")
    with pytest.raises(ValueError, match="cannot be read"):
        add_similarity(broken, 11, out=out, progress=False)
    assert parts_of_job(out).scored == [str(pixels[0])]
    bad.write_bytes(whole)
    add_similarity(broken, 11, out=out, progress=False)
    check(out, expected)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_lsdb_reads_the_ranks(folder, expected, tmp_path):
    import lsdb

    out = gzr.add_similarity(folder, 11, n=30, out=tmp_path / "out")
    frame = lsdb.open_catalog(str(out)).query("similarity_rank > 0").compute()
    assert sorted(frame["similarity_rank"]) == list(range(1, 31))
    best = expected["id"][(expected["similarity_rank"] > 0) & (expected["similarity_rank"] <= 30)]
    assert set(frame["id"]) == set(best)


def test_a_partition_without_rows_is_ranked(folder, expected, tmp_path):
    holed, out = shutil.copytree(folder, tmp_path / "holed"), tmp_path / "out"
    catalogue = HatsFolder.open(holed)
    pixel = catalogue.pixels[1]
    path = partition_path(holed, pixel)
    arrow = catalogue.read(pixel)
    path.unlink()
    write_partition(arrow.slice(0, 0), path)
    gone = set(arrow["id"].to_pylist())
    gzr.add_similarity(holed, np.ones(8), out=out)
    found = from_hats(out)
    assert sorted(found["similarity_rank"][found["similarity_rank"] > 0]) == list(
        range(1, (found["similarity_rank"] > 0).sum() + 1)
    )
    assert not gone & set(found["id"])


def test_a_folder_of_an_earlier_version_is_not_gone_on_with(folder, tmp_path):
    out = tmp_path / "out"
    add_similarity(folder, 11, out=out, progress=False, part=(1, 9))
    card = out / ".galzoo_repr" / "job.json"
    card.write_text(card.read_text().replace('"format_version": 1', '"format_version": 7'))
    with pytest.raises(ValueError, match="another folder"):
        add_similarity(folder, 11, out=out, progress=False)
