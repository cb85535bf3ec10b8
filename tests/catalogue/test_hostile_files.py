"""Catalogues that would take memory, read other files or ask services: refused before they do."""

import bz2
import gzip
import io
import lzma
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits
from astropy.table import Table
from pyarrow import parquet

from galzoo_repr.catalogue import _parquet_size, _unpacked, read_catalogue, write_catalogue


def zipped(*bodies):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, body in enumerate(bodies):
            archive.writestr(f"{number}.dat", body)
    return content.getvalue()


PACKINGS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zip": zipped}
BEGINNINGS = {
    "csv": b"ra,dec\n",
    "ecsv": b"# %ECSV 1.0\n",
    "fits": b"SIMPLE  =                    T".ljust(80) + b"END".ljust(2800),
    "vot": b'<VOTABLE version="1.3">',
}


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize(
    ("kind", "format"),
    [*((kind, None) for kind in BEGINNINGS), ("csv", "ascii.basic")],
)
def test_packed_files_do_not_unpack_without_bound(kind, format, packing, tmp_path, monkeypatch):
    monkeypatch.setattr(_unpacked, "_ALWAYS", 2**22)
    path = tmp_path / f"a.{kind}.{packing}"
    path.write_bytes(PACKINGS[packing](BEGINNINGS[kind] + b" " * 2**24))
    with pytest.raises(ValueError, match="unpacks to more than"):
        read_catalogue(path, format=format)


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("kind", ["csv", "ecsv", "fits", "vot"])
def test_packed_files_are_unpacked_once(kind, packing, tmp_path, monkeypatch):
    galaxies, plain = Table({"ra": np.arange(5e4), "dec": np.arange(5e4) / 7}), tmp_path / f"a.{kind}"
    galaxies.write(plain, format={"csv": "ascii.csv", "ecsv": "ascii.ecsv", "vot": "votable"}.get(kind, kind))
    path = tmp_path / f"a.{kind}.{packing}"
    path.write_bytes(PACKINGS[packing](plain.read_bytes()))
    came, read = [], _unpacked._Counted.read
    monkeypatch.setattr(
        _unpacked._Counted, "read", lambda self, size=-1: [read(self, size), came.append(self._came)][0]
    )
    for module, of in [(gzip, "GzipFile"), (bz2, "BZ2File"), (lzma, "LZMAFile"), (zipfile, "ZipExtFile")]:
        monkeypatch.setattr(getattr(module, of), "seek", None)  # as who reads it once need not go back
    table = read_catalogue(path, format=None if packing == "gz" else {"vot": "votable"}.get(kind, kind))
    assert table["dec"].tolist() == galaxies["dec"].tolist()
    assert sorted(came)[-1] == plain.stat().st_size
    assert (
        sum(1 for size in came if size == plain.stat().st_size) <= 2
    )  # the last piece, and that there is no more


def test_what_is_packed_twice_is_no_table(tmp_path):
    (tmp_path / "a.vot.gz").write_bytes(gzip.compress(gzip.compress(BEGINNINGS["vot"] + b" " * 2**24)))
    with pytest.raises(ValueError, match=r"cannot read .* as VOTable"):
        read_catalogue(tmp_path / "a.vot.gz")


def test_archives_of_several_files(tmp_path):
    (tmp_path / "a.csv.zip").write_bytes(zipped(b"ra,dec\n1,2\n", b"ra,dec\n1,2\n"))
    with pytest.raises(
        ValueError, match=r"archive of 2 files; unpack it, and read one of them: 0\.dat, 1\.dat"
    ):
        read_catalogue(tmp_path / "a.csv.zip", format="csv")


def test_files_of_the_program_compress(tmp_path):
    (tmp_path / "a.csv.Z").write_bytes(b"\x1f\x9d\x90" + bytes(50))
    with pytest.raises(ValueError, match="packed by compress; unpack it first, with gunzip"):
        read_catalogue(tmp_path / "a.csv.Z", format="csv")


def test_tables_of_one_number_are_no_bombs(tmp_path):
    Table({"ra": np.zeros(10**6), "dec": np.zeros(10**6)}).write(tmp_path / "a.fits.gz")
    assert len(read_catalogue(tmp_path / "a.fits.gz")) == 10**6


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (bytes(2880 * 4), "does not begin with SIMPLE"),
        (b"SIMPLE  =                    T".ljust(80) + b"COMMENT a".ljust(80) * 300_000, "header has no end"),
    ],
    ids=["zeros", "endless header"],
)
def test_what_is_no_fits_is_not_read_to_its_end(body, said, tmp_path):
    (tmp_path / "a.fits").write_bytes(body)
    with pytest.raises(ValueError, match=said):
        read_catalogue(tmp_path / "a.fits")


@pytest.mark.parametrize("rows", ["1000000000000", "100000000"])
@pytest.mark.parametrize("packed", [False, True])
def test_rows_that_are_not_there_get_no_room(rows, packed, tmp_path):
    body = io.BytesIO()
    Table({"ra": [1.0], "dec": [2.0]}).write(body, format="fits")
    body = body.getvalue().replace(b"NAXIS2  =                    1", b"NAXIS2  =" + rows.rjust(21).encode())
    path = tmp_path / ("a.fits.gz" if packed else "a.fits")
    path.write_bytes(gzip.compress(body) if packed else body)
    with pytest.raises(
        ValueError, match=f"{16 * int(rows)} bytes, which are not there|may have been truncated"
    ):
        read_catalogue(path)


def votable(data, **table):
    attributes = " ".join(f'{name}="{value}"' for name, value in table.items())
    return (
        f'<VOTABLE version="1.3"><RESOURCE><TABLE {attributes}>{data}</TABLE></RESOURCE></VOTABLE>'.encode()
    )


@pytest.mark.parametrize("kind", ["FITS", "BINARY", "BINARY2"])
@pytest.mark.parametrize("elsewhere", ["file", "http"])
def test_data_of_a_votable_lie_in_it(kind, elsewhere, tmp_path):
    asked = []

    class Service(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

    with HTTPServer(("127.0.0.1", 0), Service) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        (tmp_path / "secret").write_bytes(bytes(16))
        place = (
            (tmp_path / "secret").as_uri()
            if elsewhere == "file"
            else f"http://127.0.0.1:{service.server_port}/x"
        )
        field = '<FIELD name="a" datatype="int"/>'
        body = votable(f'{field}<DATA><{kind}><STREAM href="{place}"/></{kind}></DATA>')
        (tmp_path / "a.vot").write_bytes(body)
        with pytest.raises(ValueError, match=r"its data are not in it but in .*, which is not read"):
            read_catalogue(tmp_path / "a.vot")
        service.shutdown()
    assert not asked


@pytest.mark.parametrize("arraysize", ["100000000", "99999x99999", "9" * 40])
def test_cells_without_bound(arraysize, tmp_path):
    field = f'<FIELD name="a" datatype="double" arraysize="{arraysize}"/>'
    (tmp_path / "a.vot").write_bytes(
        votable(f"{field}<DATA><TABLEDATA><TR><TD>1</TD></TR></TABLEDATA></DATA>")
    )
    with pytest.raises(ValueError, match=f"declares cells of {arraysize}"):
        read_catalogue(tmp_path / "a.vot")


def test_room_is_made_for_rows_that_are_there(tmp_path):
    field = '<FIELD name="a" datatype="double"/>'
    body = votable(f"{field}<DATA><TABLEDATA><TR><TD>1</TD></TR></TABLEDATA></DATA>", nrows=10**12)
    (tmp_path / "a.vot").write_bytes(body)
    assert read_catalogue(tmp_path / "a.vot")["a"].tolist() == [1]


def repeated(rows, values):
    return pa.table({"ra": pa.array(np.zeros(rows)), "more": values(rows)})


@pytest.mark.parametrize(
    ("rows", "values"),
    [
        (3_000_000, lambda n: pa.array(np.zeros(n))),
        (200_000, lambda n: pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(16 * n)), 16)),
        (100_000, lambda n: pa.array(["galaxy" * 50] * n)),
        (100_000, lambda n: pa.array([[1.0] * 32] * n)),
        (1000, lambda n: pa.array([b"a" * 20_000] * n)),
    ],
)
def test_parquet_files_take_no_more_memory_than_there_is(rows, values, tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    parquet.write_table(repeated(rows, values), path, compression="zstd")
    assert len(read_catalogue(path)) == rows
    monkeypatch.setattr(_parquet_size, "_memory", lambda: 2**24)
    monkeypatch.setattr(_parquet_size, "_FACTOR", 10)
    with pytest.raises(
        ValueError, match="MiB of memory or more, over 10 times its size and half of what there is"
    ):
        read_catalogue(path)


def test_parquet_files_of_large_tables_are_read_however_little_memory_there_is(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    parquet.write_table(
        pa.table({"ra": np.random.default_rng(1).random(10**5), "flag": np.zeros(10**5)}), path
    )
    monkeypatch.setattr(_parquet_size, "_memory", lambda: 2**10)
    assert len(read_catalogue(path)) == 10**5


def test_cells_of_fits_that_lie_on_one_another(tmp_path, monkeypatch):
    """One long cell, to which all rows point."""
    monkeypatch.setattr(_unpacked, "_ALWAYS", 2**22)
    n, long = 3000, np.zeros(2**16, "f4")
    cells = np.array([long] + [long[:1]] * (n - 1), dtype=object)
    columns = [fits.Column("id", "J", array=np.arange(n)), fits.Column("cells", "PE()", array=cells)]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "a.fits")
    assert len(read_catalogue(tmp_path / "a.fits")) == n
    with fits.open(tmp_path / "a.fits") as hdus:
        start, width = hdus[1].fileinfo()["datLoc"], hdus[1].header["NAXIS1"]
    body = bytearray((tmp_path / "a.fits").read_bytes())
    for row in range(n):
        body[start + row * width + 4 : start + (row + 1) * width] = np.array([2**16, 0], ">i4").tobytes()
    (tmp_path / "a.fits").write_bytes(body)
    with pytest.raises(ValueError, match="its cells hold 750 MiB by what they say, and lie on one another"):
        read_catalogue(tmp_path / "a.fits")


@pytest.mark.parametrize("packed", [None, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("ending", ["ecsv", "csv", "fits", "vot", "parquet", "dat.gz", "unknown"])
def test_an_empty_file_is_said_to_be_empty(ending, packed, tmp_path):
    path = tmp_path / f"galaxies.{ending}"
    path.write_bytes(packed(b"") if packed else b"")
    if ending == "parquet" and packed:
        return  # which is packed in itself
    with pytest.raises(ValueError, match="it is empty"):
        read_catalogue(path)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_file_cut_short_is_said_to_be_where_one_table_of_it_is_wanted(pack, tmp_path):
    path = tmp_path / "galaxies.fits.packed"
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(Table({"ra": [1.0]}), name="ONE")]).writeto(
        tmp_path / "a.fits"
    )
    packed = pack((tmp_path / "a.fits").read_bytes())
    path.write_bytes(packed)
    assert read_catalogue(path, table="ONE")["ra"][0] == 1
    path.write_bytes(packed[: len(packed) * 2 // 3])
    with pytest.raises(ValueError, match="ended before the end-of-stream"):
        read_catalogue(path, table="ONE")


def test_words_of_a_parquet_file_are_kept_and_counted_once(tmp_path, monkeypatch):
    monkeypatch.setattr(_parquet_size, "_ROWS", 100)
    words = [f"word {i:04}" if i % 7 else None for i in range(2000)]
    arrow = pa.table({"word": pa.array(words).dictionary_encode(), "ra": np.arange(2000.0)})
    parquet.write_table(arrow, tmp_path / "words.parquet", row_group_size=1000)
    with parquet.ParquetFile(tmp_path / "words.parquet") as file:
        read = _parquet_size.read_within(file, 2 * arrow.nbytes)
    assert read.column("word").to_pylist() == words
    assert read.schema.equals(arrow.schema)
    found = read_catalogue(tmp_path / "words.parquet")["word"]
    assert found.mask.tolist() == [word is None for word in words]
    assert found[1999] == words[1999]


@pytest.mark.parametrize("ending", ["csv", "ecsv", "fits", "vot"])
@pytest.mark.parametrize("kind_is_in_the_name", [True, False])
def test_what_desktops_put_into_archives_is_passed_over(tmp_path, ending, kind_is_in_the_name):
    table = Table({"ra": [1.0, 2.0], "dec": [3.0, 4.0]})
    plain, path = (
        tmp_path / f"cat.{ending}",
        tmp_path / (f"cat.{ending}.zip" if kind_is_in_the_name else "all.zip"),
    )
    table.write(plain) if ending == "csv" else write_catalogue(table, plain)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cat/", b"")
        archive.writestr("cat/.DS_Store", b"\0\0\0\1Bud1")
        archive.write(plain, f"cat/{plain.name}")
        for name in (
            f"__MACOSX/cat/._{plain.name}",
            f"cat/._{plain.name}",
            "cat/Thumbs.db",
            "cat/desktop.ini",
        ):
            archive.writestr(name, b"\0\5\x16\7" + b"x" * 200)
    assert read_catalogue(path)["dec"].tolist() == [3.0, 4.0]


def test_archives_that_are_not_read_say_what_to_do(tmp_path):
    Table({"ra": [1.0], "dec": [3.0]}).write(tmp_path / "cat.csv")
    write_catalogue(Table({"ra": [1.0], "dec": [3.0]}), tmp_path / "cat.parquet")
    for name, mode in (("cat.tar", "w"), ("cat.tgz", "w:gz"), ("cat.csv.tar.bz2", "w:bz2")):
        with tarfile.open(tmp_path / name, mode) as archive:
            archive.add(tmp_path / "cat.csv", "cat.csv")
        with pytest.raises(ValueError, match="it is a tar archive; unpack it, and read one of its files"):
            read_catalogue(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "cat.parquet.zip", "w") as archive:
        archive.write(tmp_path / "cat.parquet", "cat.parquet")
    with pytest.raises(ValueError, match="it is packed, and Parquet is read where it lies"):
        read_catalogue(tmp_path / "cat.parquet.zip")
