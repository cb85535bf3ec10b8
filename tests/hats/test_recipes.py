"""The recipes of the documentation are run: scripts of job arrays by a loop, and a query's table to HATS."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from astropy.io.votable.tree import VOTableFile
from astropy.table import MaskedColumn, Table

from galzoo_repr.hats import from_hats, parts_of_job, to_hats

if find_spec("lsdb") is None:
    pytest.skip("the extra [hats] is not installed", allow_module_level=True)

PAGES = sorted((Path(__file__).parents[2] / "docs").rglob("hats.rst"))
if not PAGES:
    pytest.skip("the documentation is not here", allow_module_level=True)
BLOCKS = [
    textwrap.dedent(block)
    for block in re.findall(r"::\n\n((?:    .*\n|\n)+)", PAGES[0].read_text(encoding="utf-8"))
]


def block_with(text):
    return next(block for block in BLOCKS if text in block)


def arrays():
    """The command of each job, by its number among two."""
    slurm = block_with("#SBATCH")
    condor = dict(re.findall(r"^(\w+) *= *(.*)$", block_with("request_gpus"), re.MULTILINE))
    command = condor["arguments"].strip('"')
    assert condor["part"] == "$(Process) + 1"
    return {
        "slurm": [slurm.replace("$SLURM_ARRAY_TASK_ID", str(i)) for i in (1, 2)],
        "condor": [f"galzoo-repr {command.replace('$INT(part)', str(process + 1))}" for process in (0, 1)],
    }


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_scripts_of_both_queues_say_the_same():
    both = arrays()
    for script in (*both["slurm"], *both["condor"]):
        assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    commands = [
        next(line for line in script.splitlines() if line.startswith("galzoo-repr"))
        for script in both["slurm"]
    ]
    assert commands == both["condor"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_a_loop_stands_for_the_array(pictured, small_encoder, tmp_path):
    shutil.copytree(pictured, tmp_path / "survey")
    program = tmp_path / "galzoo-repr"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m galzoo_repr "$@"\n')
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    environment["PYTHONPATH"] = f"{Path(__file__).parents[2]}:{os.environ.get('PYTHONPATH', '')}"
    for script in arrays()["slurm"]:
        script = script.replace("/200", "/2").replace(
            "--quiet", f"--quiet --encoder {small_encoder} --images file"
        )
        subprocess.run(
            ["bash", "-e"], input=script, text=True, check=True, cwd=tmp_path, env=environment, timeout=300
        )
    assert parts_of_job(tmp_path / "embedded").missing == []
    assert len(from_hats(tmp_path / "embedded")) == 60


def test_the_table_of_a_query_becomes_a_catalogue(tmp_path):
    assert "to_table()" in block_with("TAPService")
    random = np.random.default_rng(5)
    answer = Table(
        {
            "ra": random.uniform(150, 151, 500),
            "dec": random.uniform(2, 3, 500),
            "ls_id": np.arange(500) + 10_995_128_743_000_000,
            "shape_r": MaskedColumn(
                random.random(500).astype("f4"), mask=random.random(500) < 0.2, unit="arcsec"
            ),
            "type": np.array([str(kind) for kind in random.choice(["REX", "DEV"], 500)], dtype=object),
        }
    )
    answer["ra"].unit = answer["dec"].unit = "deg"
    # As a service sends it, and pyvo gives it.
    VOTableFile.from_table(answer).to_xml(str(tmp_path / "answer.vot"))
    table = Table.read(tmp_path / "answer.vot", format="votable", use_names_over_ids=True)
    back = from_hats(to_hats(table, tmp_path / "survey", max_rows=100))
    back.sort("ls_id")
    assert back.colnames == table.colnames
    assert back["shape_r"].unit == "arcsec"
    assert back["shape_r"].mask.sum() == answer["shape_r"].mask.sum()
    assert [str(kind) for kind in back["type"]] == list(answer["type"])


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if re.search(r"^(import|from) ", block, re.MULTILINE)]
)
def test_python_of_the_page_is_python(block):
    compile(block, "hats.rst", "exec")


@pytest.mark.skipif(shutil.which("stilts") is None, reason="there is no STILTS, the shell of TOPCAT")
def test_stilts_reads_a_partition(folder, tmp_path):
    part = min(folder.rglob("Npix=*.parquet"))
    told = subprocess.run(
        ["stilts", "tpipe", f"in={part}", "ifmt=parquet", "omode=stats"],
        capture_output=True,
        text=True,
        check=False,
    )
    if "parquet" in told.stderr.lower() and told.returncode:
        pytest.skip("this STILTS reads no Parquet")
    assert told.returncode == 0, told.stderr
    assert "redshift" in told.stdout
    assert "embedding" in told.stdout
