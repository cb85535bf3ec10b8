"""Headers in YAML that would fill the memory, or never end."""

import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from galzoo_repr.catalogue import read_catalogue, write_catalogue
from galzoo_repr.exceptions import GalzooWarning


def unfolding(depth):
    parts = [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, depth)]
    return "{a0: &a0 [x, x, x, x, x, x, x, x, x], " + ", ".join(parts) + "}"


def ecsv(path, meta):
    lines = [
        "%ECSV 1.0",
        "---",
        "datatype:",
        "- {name: a, datatype: int64}",
        f"meta: {meta}",
        "schema: astropy-2.0",
    ]
    path.write_text("".join(f"# {line}\n" for line in lines) + "a\n1\n")
    return path


@pytest.mark.parametrize("meta", [unfolding(12), "{m: &m [*m]}", "{m: " + "[" * 2000 + "]" * 2000 + "}"])
def test_ecsv_is_refused(tmp_path, meta):
    began = time.monotonic()
    with pytest.raises(ValueError, match=r"cannot read .* as ECSV"):
        read_catalogue(ecsv(tmp_path / "t.ecsv", meta))
    assert time.monotonic() - began < 10


def test_what_unfolds_a_little_is_read(tmp_path):
    table = read_catalogue(ecsv(tmp_path / "t.ecsv", "{m: &m [1, 2], n: *m}"))
    assert table.meta["n"] == [1, 2]
    write_catalogue(table, tmp_path / "out.ecsv")


def test_parquet_loses_its_header_with_a_warning(tmp_path):
    header = f"datatype:\n- {{name: a, datatype: int64}}\nmeta: {unfolding(12)}"
    table = pa.table({"a": [1]}).replace_schema_metadata({"table_meta_yaml": header})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.warns(GalzooWarning, match="is damaged; units, descriptions and meta are lost"):
        assert read_catalogue(tmp_path / "t.parquet").meta == {}


def test_fits_is_refused(tmp_path):
    table = Table({"a": [1, 2]})
    table["a"].info.meta = {"q": {"z": 1}}
    table.write(tmp_path / "t.fits")
    with fits.open(tmp_path / "t.fits", mode="update") as hdus:
        cards = [card for card in hdus[1].header.cards if card.keyword != "COMMENT"]
        text = f"datatype:\n- name: a\n  meta: {unfolding(10)}".split("\n")
        folded = [line[i : i + 60] for line in text for i in range(0, len(line), 60)]
        ends = [len(part) == 60 for part in folded]
        lines = [part + "\\" * end for part, end in zip(folded, ends, strict=True)]
        hdus[1].header = fits.Header(cards)
        for line in ["--BEGIN-ASTROPY-SERIALIZED-COLUMNS--", *lines, "--END-ASTROPY-SERIALIZED-COLUMNS--"]:
            hdus[1].header.add_comment(line)
    with pytest.raises(ValueError, match="unfold"):
        read_catalogue(tmp_path / "t.fits")
