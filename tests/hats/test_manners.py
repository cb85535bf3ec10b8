"""One pace for all processes of a job, and the bulk route named for the whole catalogue."""

import subprocess
import sys
import time
import warnings
from importlib.util import find_spec

import numpy as np
import pytest
from astropy.table import Table
from astroquery.exceptions import LargeQueryWarning

from galzoo_repr.cutouts import BrickSurvey, LegacySurvey
from galzoo_repr.cutouts._shared_pace import SharedPace, pace_shared_by, shared_pace
from galzoo_repr.cutouts._throttle import Throttle
from galzoo_repr.hats import HatsFolder, to_hats
from galzoo_repr.hats._options import name_bulk_route

if find_spec("hats") is None:
    pytest.skip("the extra [hats] is not installed", allow_module_level=True)

CLAIM = """
import sys
from pathlib import Path
from galzoo_repr.cutouts._shared_pace import SharedPace
import time
pace = SharedPace(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    wait = pace.claim("viewer.org", 0.5)
    print(time.time() + wait, flush=True)
"""


def test_processes_take_turns(tmp_path):
    command = [sys.executable, "-c", CLAIM, str(tmp_path / "pace"), "10"]
    several = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    turns = np.sort([float(line) for process in several for line in process.communicate()[0].split()])
    assert len(turns) == 20
    # Turns of all processes are so far apart, but for the time that a process took to be told.
    assert turns[-1] - turns[0] >= 19 * 0.5 - 0.3
    assert [process.returncode for process in several] == [0, 0]


def test_what_one_is_told_to_wait_all_wait(tmp_path):
    pace = SharedPace(tmp_path)
    assert pace.claim("a", 1.0) < 0.1
    assert pace.claim("a", 1.0, paused=50.0) == pytest.approx(50, abs=1)
    assert pace.claim("a", 1.0) == pytest.approx(51, abs=1)
    assert pace.claim("b", 1.0) < 0.1


@pytest.mark.parametrize(
    "content", ["", "nonsense", "nan", pytest.param(repr(time.time() + 10 * 86400), id="in ten days")]
)
def test_a_damaged_file_or_a_wrong_clock_stops_nobody(content, tmp_path):
    (tmp_path / "a").write_text(content)
    assert SharedPace(tmp_path).claim("a", 1.0) < 0.1


def test_a_throttle_waits_for_the_turn_of_the_job(tmp_path):
    with shared_pace(tmp_path):
        SharedPace(tmp_path).claim("a", 0.6)
        began = time.monotonic()
        assert Throttle(1000.0, 4, "a").enter() == ""
        assert time.monotonic() - began > 0.4
    assert pace_shared_by() is None


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    random = np.random.default_rng(0)
    table = Table({"ra": random.uniform(0, 360, 12_000), "dec": random.uniform(-60, 60, 12_000)})
    return HatsFolder.open(to_hats(table, tmp_path_factory.mktemp("large") / "survey", max_rows=3000))


@pytest.mark.parametrize("survey", [None, LegacySurvey()])
def test_the_bulk_route_is_named_for_the_whole(survey, large):
    with pytest.warns(LargeQueryWarning, match=r"has 12000 galaxies.*0\.1 days at 2 per second.*BrickSurvey"):
        name_bulk_route(large, survey, 2.0)


def test_bricks_need_no_word(large, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        name_bulk_route(large, BrickSurvey(server=str(tmp_path)), None)
