"""What goes in is what is meant: one member of each kind of input that used to be taken for something else.

The kinds have tests of their own in the rooms that read them; here they stand side by side, by the public verbs.
"""

import decimal
import io
import warnings

import numpy as np
import pyarrow as pa
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Column, Table
from PIL import Image
from pyarrow import parquet

import galzoo_repr as gzr
from galzoo_repr import GalzooWarning
from galzoo_repr.catalogue import provenance, read_catalogue, sky_positions
from galzoo_repr.finetuning import learning_curve

GREY = np.clip(np.add.outer(np.linspace(0, 0.7, 60), np.linspace(0, 0.3, 60)), 0, 1)


@pytest.fixture(scope="module")
def encoder():
    return gzr.Encoder.load("bundled", device="cpu")


def embed(encoder, images):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* rows have no embedding", GalzooWarning)
        warnings.filterwarnings("ignore", "not one of", GalzooWarning)
        table = Table({"row": np.arange(len(images))})
        return gzr.add_embeddings(
            table, encoder=encoder, images=images, embedding_store=False, progress=False
        )


def votable(path, fields, rows, *, around="", after=""):
    """Write a VOTable whose cells are written as they are given."""
    cells = "".join(f"<TR>{''.join(f'<TD>{cell}</TD>' for cell in row)}</TR>" for row in rows)
    path.write_text(
        '<?xml version="1.0"?><VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        f'<RESOURCE type="results">{around}<TABLE>{"".join(f"<FIELD {field}/>" for field in fields)}'
        f"<DATA><TABLEDATA>{cells}</TABLEDATA></DATA></TABLE>{after}</RESOURCE></VOTABLE>"
    )
    return path


RA, DEC = 'name="ra" datatype="double"', 'name="dec" datatype="double"'


@pytest.mark.parametrize("route", ["array", "object", "file", "query"])
def test_sixteen_bits_are_sixteen_bits(encoder, tmp_path, route):
    array = np.rint(GREY * 65535).astype(np.uint16)
    image = Image.fromarray(array)
    image.save(tmp_path / "deep.png")
    given = {"array": array, "object": image, "file": str(tmp_path / "deep.png"), "query": image}[route]
    known = embed(encoder, [GREY, 1 - GREY])
    if route == "query":
        assert gzr.find_similar(known, given, n=1, encoder=encoder)["similarity"][0] > 0.9999
        return
    result = embed(encoder, [given])
    assert result["cutout_status"].tolist() == ["ok"]
    one, other = result["embedding"][0], known["embedding"][0]
    assert one @ other > 0.9999 * np.linalg.norm(one) * np.linalg.norm(other)


@pytest.mark.parametrize("scale", [255, 65535, 2**31 - 1])
def test_numbers_whose_white_nobody_knows_are_refused(encoder, scale):
    image = Image.fromarray((GREY * scale).astype(np.int32))
    assert embed(encoder, [image, GREY])["cutout_status"].tolist() == ["corrupt", "ok"]


def test_ids_beyond_signed_integers(tmp_path):
    ids = np.uint64(2**63 + 11) + np.arange(5, dtype=np.uint64)
    vectors = np.eye(5, dtype=np.float32)
    index = gzr.SimilarityIndex.build(vectors[:4], ids=ids[:4])
    index.add(vectors[4:], ids=ids[4:])
    index.save(tmp_path / "index")
    opened = gzr.SimilarityIndex.open(tmp_path / "index")
    assert opened.ids.tolist() == ids.tolist()
    assert opened.search(vectors, n=1)["id"].tolist() == ids.tolist()


@pytest.mark.parametrize("keyword", [{"RADECSYS": "FK4"}, {"EQUINOX": 1950.0}, {"EPOCH": 1950.0}])
def test_b1950_in_the_header(tmp_path, keyword):
    columns = [fits.Column("RA", "D", array=[200.0]), fits.Column("DEC", "D", array=[-30.0])]
    table = fits.BinTableHDU.from_columns(columns)
    table.header.update(keyword)
    table.writeto(tmp_path / "old.fits")
    with pytest.warns(GalzooWarning, match="FK4 of B1950"):
        found = sky_positions(read_catalogue(tmp_path / "old.fits")).skycoord[0]
    assert found.separation(SkyCoord(200, -30, unit="deg", frame="fk4").icrs).arcsec < 0.1


def test_b1950_in_a_votable(tmp_path):
    system = '<COOSYS ID="old" system="eq_FK4" equinox="B1950"/>'
    path = votable(tmp_path / "a.vot", [f'{RA} ref="old"', f'{DEC} ref="old"'], [(200, -30)], around=system)
    found = sky_positions(read_catalogue(path)).skycoord[0]
    assert found.separation(SkyCoord(200, -30, unit="deg", frame="fk4").icrs).arcsec < 0.1


def test_a_null_is_not_scaled(tmp_path):
    stored = fits.Column("RA", "J", array=np.array([2 * 10**6, -99], np.int32), null=-99)
    table = fits.BinTableHDU.from_columns([stored, fits.Column("DEC", "D", array=[1.0, 2.0])])
    table.header["TSCAL1"], table.header["TZERO1"] = 1e-6, 10.0
    table.writeto(tmp_path / "scaled.fits")
    positions = sky_positions(read_catalogue(tmp_path / "scaled.fits"))
    assert positions.ra[0] == pytest.approx(12)
    assert positions.reason.tolist() == ["", "RA: masked"]


@pytest.mark.parametrize("word", ["null", "N/A", "-", " ... ", "?", "None", ""])
def test_one_list_of_words_for_no_value(word):
    assert sky_positions(Table({"ra": ["10", word], "dec": [1.0, 2.0]})).valid.tolist() == [True, False]
    vectors = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    vectors[:, 0] += np.arange(50) % 2 * 6
    answers = np.array(["ring", "not_ring"] * 20 + [word] * 10)
    model = gzr.finetune(Table({"embedding": vectors, "label": answers}), "label", progress=False, members=2)
    assert (
        model.report.n_labelled == 40 if hasattr(model.report, "n_labelled") else "40 labelled" in str(model)
    )
    predicted = gzr.add_predictions(Table({"embedding": vectors}), model)
    assert "ring_probability" in predicted.colnames
    rated = Table({"embedding": vectors, "interest": ["5", "0"] * 20 + [word] * 10})
    assert np.isfinite(gzr.add_anomaly_scores(rated)["anomaly_score"]).all()


def test_a_number_for_no_value_is_named():
    redshift = np.r_[np.linspace(0.01, 0.3, 40), -99.0]
    vectors = np.random.default_rng(0).normal(size=(41, 4)).astype(np.float32)
    with pytest.warns(GalzooWarning, match="-99 in 1 row"):
        gzr.finetune(Table({"embedding": vectors, "z": redshift}), "z", members=2, progress=False)


def test_numbers_kept_as_objects_are_numbers():
    vectors = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    values = Column([0.1 * row if row % 3 else None for row in range(40)], dtype=object)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GalzooWarning)
        model = gzr.finetune(
            Table({"embedding": vectors, "size": values}), "size", task="regression", progress=False
        )
    assert model.task == "regression"


@pytest.mark.parametrize(
    ("field", "cell", "meant"),
    [
        ('name="c" datatype="char"', "ring", "ring"),
        ('name="c" datatype="char" arraysize="2"', "Sérsic", "Sérsic"),
        ('name="c" datatype="short"', "3403340", 3403340),
        ('name="c" datatype="int"', "1237648720693755918", 1237648720693755918),
    ],
)
def test_cells_wider_than_they_are_declared(tmp_path, field, cell, meant):
    assert read_catalogue(votable(tmp_path / "a.vot", [field], [(cell,)]))["c"].tolist() == [meant]


def test_what_a_service_says_of_its_answer(tmp_path):
    status = '<INFO name="QUERY_STATUS" value="{}">{}</INFO>'
    path = votable(tmp_path / "a.vot", [RA, DEC], [(1, 2)], after=status.format("OVERFLOW", "limit of 1 row"))
    with pytest.warns(GalzooWarning, match=r"rows are missing.*limit of 1 row"):
        assert len(read_catalogue(path)) == 1
    path = votable(tmp_path / "b.vot", [RA, DEC], [], around=status.format("ERROR", "no column zz"))
    with pytest.raises(ValueError, match="no column zz"):
        read_catalogue(path)


def test_text_ends_at_a_nul(tmp_path):
    rows = np.array([(1.0, b"ring\0old"), (2.0, b"bar")], dtype=[("RA", ">f8"), ("label", "S9")])
    fits.BinTableHDU(rows).writeto(tmp_path / "a.fits")
    assert read_catalogue(tmp_path / "a.fits")["label"].tolist() == ["ring", "bar"]


def test_decimals_of_a_parquet_file_are_exact(tmp_path):
    ids = [decimal.Decimal(1237648720693755918 + row) for row in range(3)]
    columns = {
        "id": pa.array(ids, pa.decimal128(20, 0)),
        "nothing": pa.array([[], [], []], pa.list_(pa.float32())),
    }
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    table = read_catalogue(tmp_path / "a.parquet")
    assert [int(one) for one in table["id"]] == [int(one) for one in ids]
    assert len(table) == 3


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"\xef\xbb\xbfra,dec\r\n150.5,2.5\r\n"),
        ("a.csv", b"#Table1\nra,dec\n150.5,2.5\n"),
        ("a.csv", b"ra;dec\n150.5;2.5\n"),
        ("a.tsv", b"# by a script\nra\tdec\n150.5\t2.5\n"),
        ("a.txt", b"ra dec\n150.5 2.5\n"),
    ],
)
def test_text_files_of_spreadsheets_and_archives(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    positions = sky_positions(read_catalogue(tmp_path / name))
    assert (positions.ra.tolist(), positions.dec.tolist()) == ([150.5], [2.5])


def test_one_number_per_cell_is_one_number(tmp_path):
    path = votable(tmp_path / "a.vot", [f'{RA} arraysize="1"', f'{DEC} arraysize="*"'], [(10, 20)])
    for table in (read_catalogue(path), Table({"ra": [[10.0]], "dec": [[20.0]]})):
        assert sky_positions(table).ra.tolist() == [10]


@pytest.mark.parametrize(
    "bad",
    [
        None,
        np.zeros((0, 9, 3), np.uint8),
        np.full((9, 9), np.nan),
        np.full((9, 9), 7.0),
        np.zeros((9, 9, 3), np.uint8),
        np.ma.masked_greater(np.where(np.eye(9) > 0, 1e20, 0.5), 1),
        "gone.fits",
        {"not": "a picture"},
    ],
)
def test_one_bad_picture_stops_no_other(encoder, bad):
    result = embed(encoder, [GREY, bad])
    assert result["cutout_status"][0] == "ok"
    assert result["cutout_status"][1] in ("missing", "corrupt", "partial")
    assert np.isfinite(result["embedding"]).all(axis=1).tolist() == [True, False]


def test_a_variance_before_the_image_is_passed_over():
    planes = np.random.default_rng(0).normal(size=(3, 20, 20)).astype(np.float32)
    names = fits.Header({"BANDS": "grz"})
    file = io.BytesIO()
    variance, image = fits.ImageHDU(planes * 0 + 5, names, "INVVAR"), fits.ImageHDU(planes, names, "IMAGE")
    fits.HDUList([fits.PrimaryHDU(), variance, image]).writeto(file)
    np.testing.assert_array_equal(gzr.images.read_image(file.getvalue()).pixels, planes)


@pytest.mark.parametrize("unit", ["DEG", "deg.", "[deg]", "'deg'", "deg (J2000)", "degrees"])
def test_units_in_other_spellings(unit):
    assert sky_positions(Table({"ra": Column([10.0], unit=unit), "dec": [20.0]})).ra.tolist() == [10]


def _known(rng):
    table = Table({"ALPHA": rng.uniform(10, 11, 40), "DELTA": rng.uniform(-1, 1, 40)})
    table["embedding"] = rng.normal(size=(40, 4)).astype("float32")
    table["ring"] = table["embedding"][:, 0] > 0
    return table


def _external(table, coords):
    other = Table({"x": table["ALPHA"], "y": table["DELTA"], "f0": table["ALPHA"], "f1": table["DELTA"]})
    options = {"columns": "f*", "encoder": "theirs", "name": "other", "radius": "1 arcsec"}
    told = gzr.add_external_embeddings(table, other, coords=coords, file_coords=("x", "y"), **options)
    assert provenance(told, "add_external_embeddings")["file_coords"] == ["x", "y"]
    return told


def _predicted(table, coords):
    encoder = gzr.Encoder.load("bundled", device="cpu")
    seen = gzr.add_embeddings(
        table["ring", "ALPHA", "DELTA"], encoder=encoder, images=[GREY] * len(table), embedding_store=False,
        progress=False,
    )  # fmt: skip
    seen["embedding"] += np.random.default_rng(1).normal(size=seen["embedding"].shape)
    model = gzr.finetune(seen, "ring", members=2, coords=coords)
    assert ("coords" in model.card) == (coords is not None)
    options = {} if coords is None else {"coords": coords}
    bare = seen["ring", "ALPHA", "DELTA"]
    return gzr.add_predictions(
        bare,
        model,
        encoder=encoder,
        images=[GREY] * len(table),
        embedding_store=False,
        progress=False,
        **options,
    )


PLACED = {
    "add_similarity": lambda table, coords: gzr.add_similarity(table, 0, coords=coords),
    "find_similar": lambda table, coords: gzr.find_similar(table, 0, coords=coords),
    "find_duplicates": lambda table, coords: gzr.find_duplicates(
        table, similarity=0.99, separation="1 arcsec", coords=coords
    ),
    "neighbour_table": lambda table, coords: gzr.neighbour_table(table, 2, coords=coords, progress=False),
    "learning_curve": lambda table, coords: learning_curve(
        table, "ring", [10], repeats=1, coords=coords, progress=False
    ),
    "compare_encoders": lambda table, coords: gzr.compare_encoders(
        table, "ring", ["embedding"], repeats=2, coords=coords, progress=False
    ),
    "add_external_embeddings": _external,
    "add_embeddings": _predicted,
    "add_predictions_ring": _predicted,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:the labels in 'ring' do not show")  # all pictures are grey
@pytest.mark.parametrize("call", PLACED)
def test_which_positions_were_meant_is_told_by_the_result(call):
    table = _known(np.random.default_rng(0))
    told = provenance(PLACED[call](table, ("ALPHA", "DELTA")), call)
    assert told["coords"] == ["ALPHA", "DELTA"]
    beside = SkyCoord(table["ALPHA"], table["DELTA"], unit="deg", frame="fk5")
    told = provenance(PLACED[call](table, beside), call)["coords"]
    assert told.startswith(f"SkyCoord (fk5) beside the table, first {table['ALPHA'][0]:.6f} ")
    table.rename_columns(["ALPHA", "DELTA"], ["ra", "dec"])
    if call not in ("add_external_embeddings", "add_embeddings", "add_predictions_ring"):
        assert "coords" not in provenance(PLACED[call](table, None), call)
