import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import FK5, Galactic, Galactocentric, SkyCoord
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.utils.masked import Masked
from hypothesis import given, settings
from hypothesis import strategies as st

from galzoo_repr.catalogue import sky_positions

RA = np.array([150.0, 359.75, 0.5])
DEC = np.array([2.5, -30.25, 89.0])
TRUTH = SkyCoord(RA, DEC, unit="deg")


def pair(ra, dec, names=("ra", "dec"), table_class=Table):
    return table_class({names[0]: ra, names[1]: dec})


def objects(*cells):
    column = np.empty(len(cells), dtype=object)
    column[:] = [None] * len(cells)
    for row, cell in enumerate(cells):
        column[row] = cell
    return column


# The same three positions in every form.
FORMS = {
    "numbers": pair(RA, DEC),
    "degrees": pair(Column(RA, unit="deg"), Column(DEC, unit="deg")),
    "spelled degrees": pair(Column(RA, unit=u.Unit("degrees", parse_strict="silent")), DEC),
    "vectors of one": pair(RA.reshape(3, 1), Column(DEC.reshape(3, 1), unit="deg")),
    "masked vectors of one": pair(MaskedColumn(RA.reshape(3, 1)), DEC),
    "quantities of one": pair(RA.reshape(3, 1) * u.deg, DEC.reshape(3, 1) * u.deg, table_class=QTable),
    "texts of one": pair(np.array([["10:00:00"], ["23:59:00"], ["00:02:00"]]), DEC),
    "lists of one": pair(objects([150.0], [359.75], [0.5]), objects(*DEC.reshape(3, 1))),
    "dimensionless": pair(RA * u.one, DEC * u.one, table_class=QTable),
    "radians": pair(Column(np.radians(RA), unit="rad"), Column(np.radians(DEC), unit="rad")),
    "hour angle": pair(Column(RA / 15, unit="hourangle"), Column(DEC, unit="deg")),
    "hours": pair(Column(RA / 15, unit="h"), DEC),
    "quantity": pair(RA * u.deg, DEC * u.deg, table_class=QTable),
    "quantity in arcsec": pair((RA * u.deg).to(u.arcsec), DEC * u.deg, table_class=QTable),
    "masked quantity": pair(Masked(RA * u.deg), Masked(DEC * u.deg), table_class=QTable),
    "masked column": pair(MaskedColumn(RA), MaskedColumn(DEC)),
    "big-endian": pair(RA.astype(">f8"), DEC.astype(">f8")),
    "negative": pair(RA - 360, DEC),
    "angle columns": pair(TRUTH.ra, TRUTH.dec, table_class=QTable),
    "sexagesimal": pair(
        TRUTH.ra.to_string(u.hourangle, sep=":", precision=6), TRUTH.dec.to_string(sep=":", precision=6)
    ),
    "blanks": pair(TRUTH.ra.to_string(u.hourangle, sep=" "), TRUTH.dec.to_string(sep=" ", alwayssign=True)),
    "letters": pair(TRUTH.ra.to_string(u.hourangle), TRUTH.dec.to_string()),
    "degree letters": pair(TRUTH.ra.to_string(u.deg), TRUTH.dec.to_string()),
    "degree signs": pair(TRUTH.ra.to_string(u.deg, format="unicode"), TRUTH.dec.to_string(format="unicode")),
    "sexagesimal degrees": pair(
        Column(TRUTH.ra.to_string(u.deg, sep=":"), unit="deg"), TRUTH.dec.to_string(sep=":")
    ),
    "VizieR": pair(
        Column(TRUTH.ra.to_string(u.hourangle, sep=" "), unit=u.Unit('"h:m:s"', parse_strict="silent")),
        Column(TRUTH.dec.to_string(sep=" "), unit=u.Unit('"d:m:s"', parse_strict="silent")),
        ("RAJ2000", "DEJ2000"),
    ),
    "bytes": pair(
        TRUTH.ra.to_string(u.hourangle, sep=":").astype("S"), TRUTH.dec.to_string(sep=":").astype("S")
    ),
    "decimal text": pair([str(x) for x in RA], [f"{x:+}" for x in DEC]),
    "objects": pair(np.array([150.0, "23:59:00", "0.5"], dtype=object), DEC),
    "ICRS column": QTable({"where": TRUTH}),
    "galactic column": Table({"where": TRUTH.galactic}),
    "FK4 column": Table({"where": TRUTH.transform_to("fk4")}),
    "FK5 of 1975": Table({"where": TRUTH.transform_to(FK5(equinox="J1975"))}),
    "SkyCoord": TRUTH,
    "galactic SkyCoord": TRUTH.galactic,
    "frame": Galactic(TRUTH.galactic.l, TRUTH.galactic.b),
    "with distance": SkyCoord(RA * u.deg, DEC * u.deg, distance=[1, 2, 3] * u.Mpc).galactic,
    "masked SkyCoord": SkyCoord(Masked(RA * u.deg), DEC * u.deg),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_positions(form):
    positions = sky_positions(FORMS[form])
    assert positions.ra.dtype == positions.dec.dtype == np.float64
    assert np.all(positions.skycoord.separation(TRUTH) < 1e-3 * u.arcsec)
    assert positions.valid.tolist() == [True] * 3
    assert positions.reason.tolist() == [""] * 3
    assert len(positions) == 3


@pytest.mark.parametrize(
    "names",
    [
        ("ra", "dec"),
        ("RA", "DEC"),
        ("Ra", "Dec"),
        ("RAJ2000", "DEJ2000"),
        ("_RAJ2000", "_DEJ2000"),
        ("RA_ICRS", "DE_ICRS"),
        ("TARGET_RA", "TARGET_DEC"),
        ("ra_deg", "dec_deg"),
        ("RAdeg", "DEdeg"),
        ("ALPHA_J2000", "DELTA_J2000"),
        ("ALPHAWIN_J2000", "DELTAWIN_J2000"),
        ("s_ra", "s_dec"),
        ("raMean", "decMean"),
        ("right_ascension", "declination"),
        (" ra ", " dec "),
        ("RA (deg)", "Dec (deg)"),
        ("RA [deg]", "DEC [deg]"),
        ("R.A. (J2000)", "Decl. (J2000)"),
        ("RA_degrees", "DEC_degrees"),
    ],
)
def test_usual_names(names):
    table = Table({"id": [1, 2, 3], names[0]: RA, names[1]: DEC, "z": [0.1, 0.2, 0.3]})
    np.testing.assert_allclose(sky_positions(table).ra, RA)


@pytest.mark.parametrize(
    ("names", "factors"),
    [
        (("RA (hours)", "DEC (deg)"), (15, 1)),
        (("ra_hours", "dec_deg"), (15, 1)),
        (("RA [h]", "DEC [deg]"), (15, 1)),
        (("ra_rad", "dec_rad"), (180 / np.pi, 180 / np.pi)),
    ],
)
def test_a_unit_in_the_name_counts_where_the_column_has_none(names, factors):
    ra, dec = RA / factors[0], DEC / factors[1]
    np.testing.assert_allclose(sky_positions(pair(ra, dec, names), coords=names).ra, RA)
    np.testing.assert_allclose(sky_positions(pair([str(x) for x in ra], dec, names), coords=names).ra, RA)
    given = pair(Column(RA, unit="deg"), Column(DEC, unit="deg"), names)
    np.testing.assert_allclose(sky_positions(given, coords=names).ra, RA)


def test_brackets_that_say_something_else_are_another_column():
    with pytest.raises(ValueError, match="found no positions"):
        sky_positions(pair(RA, DEC, ("RA (error)", "DEC (error)")))
    both = Table({"RA (hms)": ["1:0:0"] * 3, "ra": RA, "dec": DEC, "DEC (dms)": ["1:0:0"] * 3})
    np.testing.assert_allclose(sky_positions(both).ra, RA)
    both = Table({"ra_deg": RA, "dec_deg": DEC, "ra_hours": RA / 15})
    np.testing.assert_allclose(sky_positions(both).ra, RA)


SPELLINGS = {
    "deg": [
        "DEG",
        "deg.",
        "[deg]",
        "'deg'",
        "(deg)",
        "Degrees",
        "degree",
        "DEGREES_NORTH",
        "ang.deg",
        "°",
        "D",
    ],
    "deg ": ["d:m:s", "dd:mm:ss", "deg (J2000)", "deg, ICRS", "decimal degrees", "deg J2000", "Angle [deg]"],
    "rad": ["RADIANS", "radians", "Rad", "[rad]"],
    "hourangle": ["HR", "hours", "h", "Hrs.", "HOURANGLE", "hh:mm:ss", "[h]"],
    "arcsec": ["ARCSEC", "arcseconds", "arc sec", '"', "''", "asec"],
    "arcmin": ["arcmins", "Arcminutes", "'"],
}


@pytest.mark.parametrize(("unit", "spelling"), [(unit, s) for unit in SPELLINGS for s in SPELLINGS[unit]])
def test_units_are_understood_however_they_are_spelled(unit, spelling):
    ra = (RA * u.deg).to_value(unit)
    table = pair(Column(ra, unit=u.Unit(spelling, parse_strict="silent")), Column(DEC, unit="deg"))
    np.testing.assert_allclose(sky_positions(table).ra, RA)


@pytest.mark.parametrize("unit", ["---", "-", "none", "unitless"])
def test_words_for_no_unit_are_none(unit):
    table = pair(Column(RA, unit=u.Unit(unit, parse_strict="silent")), DEC)
    np.testing.assert_allclose(sky_positions(table).ra, RA)


@pytest.mark.parametrize("unit", ["mag", "deg2", "deg/s", "min", "s", "sr"])
def test_units_of_something_else_are_refused(unit):
    with pytest.raises(ValueError, match="which is not one of angle; set its unit to deg, rad or hourangle"):
        sky_positions(pair(Column(RA, unit=u.Unit(unit, parse_strict="silent")), DEC))


def test_text_in_latin_1_is_read():
    positions = sky_positions(pair([10.0], [b"2\xb030'00\""]))
    np.testing.assert_allclose(positions.dec, [2.5])


def test_an_empty_or_longer_cell_is_a_bad_row():
    positions = sky_positions(pair(objects([150.0], [], [1.0, 2.0]), DEC))
    assert positions.valid.tolist() == [True, False, False]
    assert positions.reason[1] == "ra: missing"
    assert "cannot read '[1.0, 2.0]' as an angle" in positions.reason[2]


def test_sky_coordinates_go_before_columns_of_numbers():
    table = Table({"ra": [1.0, 2.0, 3.0], "dec": [1.0, 2.0, 3.0], "where": TRUTH})
    np.testing.assert_allclose(sky_positions(table).ra, RA)


def test_ucds_of_a_votable_find_unusual_names():
    table = Table({"x": RA, "y": DEC})
    table["x"].meta["ucd"], table["y"].meta["ucd"] = "pos.eq.ra;meta.main", "pos.eq.dec;meta.main"
    np.testing.assert_allclose(sky_positions(table).dec, DEC)


def test_named_columns():
    table = Table({"ra": RA + 1, "dec": DEC - 1, "ra_2": RA, "dec_2": DEC, "a": TRUTH, "b": TRUTH.galactic})
    for coords in (("ra_2", "dec_2"), ["ra_2", "dec_2"], "a", "b", TRUTH, TRUTH.galactic):
        np.testing.assert_allclose(sky_positions(table, coords=coords).ra, RA)


def test_negative_zero_degrees_is_south():
    assert sky_positions(pair(["00:00:00"], ["-00:30:00"])).dec.tolist() == [-0.5]


@pytest.mark.parametrize(
    ("ra", "expected"),
    [(-10.0, 350.0), (360.0, 0.0), (-360.0, 0.0), (-1e-20, 0.0), (359.999, 359.999), ("24:00:00", 0.0)],
)
def test_right_ascension_is_wrapped(ra, expected):
    assert sky_positions(pair([ra], [0.0])).ra[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("ra", "dec", "reason"),
    [
        (np.nan, 0.0, "ra: not a finite number"),
        (np.inf, 0.0, "ra: not a finite number"),
        (10.0, -np.inf, "dec: not a finite number"),
        (10.0, 90.0001, "dec: declination 90.0001 deg is outside -90 to 90"),
        (10.0, -999.0, "dec: declination -999 deg is outside -90 to 90"),
        (361.0, 0.0, "ra: right ascension 361 deg is outside -360 to 360"),
        (-999.0, -999.0, "dec: declination -999 deg is outside -90 to 90"),
        ("", "00:00:00", "ra: missing"),
        ("--", "00:00:00", "ra: missing"),
        ("10:00:00", "none", "dec: missing"),
        ("ten", "00:00:00", "ra: cannot read 'ten' as an angle"),
        ("10:60:00", "00:00:00", "ra: cannot read '10:60:00' as an angle: minutes and seconds go to 60"),
        ("10:20:30:40", "00:00:00", "ra: cannot read '10:20:30:40' as an angle"),
        ("25:00:00", "00:00:00", "ra: right ascension 375 deg is outside -360 to 360"),
        ("10:00:00", "-91:00:00", "dec: declination -91 deg is outside -90 to 90"),
        ("1e999", "0", "ra: not a finite number"),
    ],
)
def test_a_bad_row_has_a_reason_and_stops_no_other(ra, dec, reason):
    good = (150.0, 2.5) if isinstance(ra, float) else ("10:00:00", "2:30:00")
    positions = sky_positions(pair([good[0], ra, good[0]], [good[1], dec, good[1]]))
    assert positions.reason.tolist() == ["", reason, ""]
    assert positions.valid.tolist() == [True, False, True]
    np.testing.assert_allclose(positions.ra, [150, np.nan, 150])
    np.testing.assert_allclose(positions.dec, [2.5, np.nan, 2.5])
    assert np.isnan(positions.skycoord.ra[1])


MASK = np.array([False, True, False])
MASKED = {
    "masked column": pair(MaskedColumn(RA, mask=MASK), DEC),
    "masked declination": pair(RA, MaskedColumn(DEC, mask=MASK)),
    "masked integers": pair(MaskedColumn([150, 359, 1], mask=MASK), DEC),
    "masked with unit": pair(MaskedColumn(RA, mask=MASK, unit="deg"), DEC),
    "masked text": pair(MaskedColumn(["10:00:00", "23:59:00", "00:02:00"], mask=MASK), DEC),
    "masked quantity": pair(Masked(RA * u.deg, mask=MASK), DEC * u.deg, table_class=QTable),
    "masked column in a QTable": pair(MaskedColumn(RA, mask=MASK, unit="deg"), DEC, table_class=QTable),
    "masked SkyCoord": SkyCoord(Masked(RA * u.deg, mask=MASK), DEC * u.deg),
    "masked galactic SkyCoord": SkyCoord(Masked(RA * u.deg, mask=MASK), DEC * u.deg).galactic,
    "masked SkyCoord column": QTable({"where": SkyCoord(RA * u.deg, Masked(DEC * u.deg, mask=MASK))}),
    "masked FK4 SkyCoord": SkyCoord(Masked(RA * u.deg, mask=MASK), DEC * u.deg, frame="fk4"),
}


@pytest.mark.parametrize("form", MASKED)
def test_the_value_under_a_mask_is_never_used(form):
    positions = sky_positions(MASKED[form])
    assert positions.valid.tolist() == [True, False, True]
    assert np.isnan(positions.ra[1])
    assert np.isnan(positions.dec[1])
    assert positions.reason[1].endswith("masked")


def test_a_masked_number_that_is_also_nan_counts_as_masked():
    positions = sky_positions(pair(MaskedColumn([np.nan, 1.0], mask=[True, False]), [0.0, 0.0]))
    assert positions.reason.tolist() == ["ra: masked", ""]


def test_missing_objects():
    positions = sky_positions(pair(np.array([None, "10:00:00", np.nan], dtype=object), [0.0, 0.0, 0.0]))
    assert positions.reason.tolist() == ["ra: missing", "", "ra: missing"]


@pytest.mark.parametrize("distance", [[1.0, np.nan, 0.0] * u.Mpc, [np.nan, np.nan, np.nan] * u.Mpc])
def test_a_galaxy_without_distance_keeps_its_direction(distance):
    coords = TRUTH.galactic
    positions = sky_positions(SkyCoord(coords.l, coords.b, distance=distance, frame="galactic"))
    np.testing.assert_allclose(positions.ra, RA, atol=1e-6)


def test_nan_and_cartesian_coordinates():
    assert sky_positions(SkyCoord([1, np.nan], [0, 0], unit="deg", frame="galactic")).reason.tolist() == [
        "",
        "not a finite number",
    ]
    centre = sky_positions(Galactocentric([0] * u.kpc, [0] * u.kpc, [0] * u.kpc))
    assert centre.skycoord[0].separation(SkyCoord(0, 0, unit="deg", frame="galactic")) < 0.1 * u.deg


@pytest.mark.parametrize(
    "catalogue",
    [
        Table({"ra": np.array([]), "dec": np.array([])}),
        Table({"ra": np.array([], dtype=str), "dec": np.array([], dtype=str)}),
        QTable({"ra": [] * u.deg, "dec": [] * u.deg}),
        Table({"where": SkyCoord([], [], unit="deg")}),
        SkyCoord([], [], unit="deg"),
    ],
)
def test_empty(catalogue):
    positions = sky_positions(catalogue)
    assert len(positions) == len(positions.skycoord) == len(positions.reason) == 0


def test_one_row_and_duplicates():
    assert sky_positions(SkyCoord(10, 20, unit="deg")).ra.tolist() == [10.0]
    assert sky_positions(pair([10.0], [20.0])).dec.tolist() == [20.0]
    assert sky_positions(pair([10.0, 10.0, 10.0], [20.0, 20.0, 20.0])).ra.tolist() == [10.0] * 3


def test_input_is_left_alone():
    table = pair(MaskedColumn([370.0, -10.0], mask=[True, False]), [0.0, 95.0])
    sky_positions(table)
    assert table["ra"].data.data.tolist() == [370.0, -10.0]
    assert table["dec"].tolist() == [0.0, 95.0]


@pytest.mark.parametrize(
    ("catalogue", "coords", "error", "message"),
    [
        (
            Table({"name": ["a"], "flux": [1.0]}),
            None,
            ValueError,
            r"found no positions.*columns are name, flux.*coords=",
        ),
        (Table({"ra": [1.0], "flux": [1.0]}), None, ValueError, "found no positions"),
        (Table({"l": [1.0], "b": [1.0]}), None, ValueError, "found no positions"),
        (
            Table({"ra_1": [1.0], "dec_1": [1.0], "ra_2": [1.0], "dec_2": [1.0]}),
            None,
            ValueError,
            "ra_1, dec_1, ra_2",
        ),
        (Table(), None, ValueError, "no columns, so no positions"),
        (
            Table({"a": TRUTH, "b": TRUTH}),
            None,
            ValueError,
            r"2 columns of sky coordinates, a, b; .*coords='a'",
        ),
        (
            Table({"ra": [1.0], "dec": [1.0], "RA": [2.0], "DEC": [2.0]}),
            None,
            ValueError,
            "several times, in ra, RA",
        ),
        (pair(RA, DEC), "where", ValueError, "coords='where' is not a column; the columns are ra, dec"),
        (pair(RA, DEC), "ra", ValueError, "'ra' holds Column, not sky coordinates"),
        (
            Table({"where": ["10h30m00s -3d00m00s"]}),
            "where",
            ValueError,
            r"not sky coordinates.*text with both is read by SkyCoord\(table\['where'\], unit='hourangle, deg'\)",
        ),
        (pair(RA, DEC), ("ra", "decl"), ValueError, "'decl' of coords is not a column"),
        (pair(RA, DEC), TRUTH[:2], ValueError, "coords holds 2 positions for a catalogue of 3 rows"),
        (pair(RA, DEC), 3, TypeError, "coords is 3; it must be the name"),
        (pair(RA, DEC), (RA, DEC), TypeError, r"a pair \(ra_name, dec_name\), or a SkyCoord"),
        (pair(np.stack([RA, RA], 1), DEC), None, ValueError, r"'ra' has shape \(3, 2\)"),
        (
            pair(Column(RA, unit="pix"), DEC),
            None,
            ValueError,
            "'ra' has unit 'pix', which is not one of angle",
        ),
        (pair(RA > 5, DEC), None, ValueError, "'ra' has dtype bool"),
        (pair(RA, DEC)[0], None, TypeError, r"one Row of a table.*table\[i:i \+ 1\]"),
        ("galaxies.fits", None, TypeError, "got the path 'galaxies.fits'.*read_catalogue"),
        ([1, 2], None, TypeError, "got list; a catalogue is an astropy Table, QTable or SkyCoord"),
        (
            SkyCoord([1, 2] * u.deg, [1, 2] * u.deg, frame="altaz"),
            None,
            ValueError,
            "cannot transform altaz coordinates to ICRS",
        ),
        (TRUTH.reshape(3, 1), None, ValueError, r"shape \(3, 1\); one position per row"),
        (
            SkyCoord([1, 2] * u.deg, [1, 2] * u.deg, frame="heliocentrictrueecliptic"),
            None,
            ValueError,
            "cannot transform heliocentrictrueecliptic coordinates to ICRS",
        ),
    ],
)
def test_refusals_say_what_was_found_and_what_to_do(catalogue, coords, error, message):
    with pytest.raises(error, match=message):
        sky_positions(catalogue, coords=coords)


ANGLES = st.lists(st.tuples(st.floats(0, 359.999), st.floats(-89.9, 89.9)), min_size=1, max_size=8).map(
    lambda pairs: np.array(pairs).T
)


@settings(deadline=None, max_examples=30)
@given(
    angles=ANGLES,
    frame=st.sampled_from(["galactic", "fk4", "fk5", "supergalactic", "barycentricmeanecliptic"]),
)
def test_the_frame_does_not_matter(angles, frame):
    truth = SkyCoord(*angles, unit="deg")
    positions = sky_positions(Table({"where": truth.transform_to(frame)}))
    assert np.all(positions.skycoord.separation(truth) < 1e-4 * u.arcsec)


@settings(deadline=None, max_examples=30)
@given(angles=ANGLES, separator=st.sampled_from([":", " ", "fromunit"]))
def test_sexagesimal_text_is_read_as_astropy_reads_it(angles, separator):
    truth = SkyCoord(*angles, unit="deg")
    text = pair(
        np.atleast_1d(truth.ra.to_string(u.hourangle, sep=separator, precision=6)),
        np.atleast_1d(truth.dec.to_string(sep=separator, precision=6)),
    )
    assert np.all(sky_positions(text).skycoord.separation(truth) < 1e-4 * u.arcsec)


@settings(deadline=None, max_examples=30)
@given(
    ra=st.lists(
        st.floats(allow_nan=True, allow_infinity=True) | st.floats(-400, 400), min_size=1, max_size=20
    ),
    data=st.data(),
)
def test_rows_are_judged_one_by_one_in_order(ra, data):
    dec = data.draw(st.lists(st.floats(-100, 100), min_size=len(ra), max_size=len(ra)))
    ra, dec = ra * u.deg, dec * u.deg
    together = sky_positions(pair(ra, dec))
    alone = [sky_positions(pair(ra[i : i + 1], dec[i : i + 1])) for i in range(len(ra))]
    np.testing.assert_array_equal(together.ra, [one.ra[0] for one in alone])
    assert together.reason.tolist() == [one.reason[0] for one in alone]
    assert np.array_equal(together.valid, together.reason == "")
    assert np.array_equal(together.valid, np.isfinite(together.ra) & np.isfinite(together.dec))
    inside = together.ra[together.valid]
    assert np.all((inside >= 0) & (inside < 360))


def test_columns_of_one_coordinate_in_each_row_are_positions():
    coords = SkyCoord([[10.0], [20.0]], [[1.0], [2.0]], unit="deg")
    assert sky_positions(QTable({"coords": coords})).ra.tolist() == pytest.approx([10, 20])
    assert sky_positions(Table({"a": [1, 2]}), coords=coords).dec.tolist() == pytest.approx([1, 2])


def test_columns_of_objects_hold_numbers_text_and_nothing():
    mixed = np.array(
        [10, 20.5, np.float64(30), "2h", "40.5", None, float("nan"), float("inf"), True], dtype=object
    )
    found = sky_positions(Table({"ra": mixed, "dec": [1.0] * len(mixed)}))
    np.testing.assert_allclose(found.ra[:5], [10, 20.5, 30, 30, 40.5])
    assert found.reason[5:].tolist() == [
        "ra: missing",
        "ra: missing",
        "ra: not a finite number",
        "ra: cannot read 'True' as an angle",
    ]


@pytest.mark.parametrize("ra", [{"RA (hms)": [150.0]}, {"RA": Column([150.0], unit="hourangle")}])
def test_degrees_in_a_column_of_hours_say_what_they_were_read_as(ra):
    found = sky_positions(Table({**ra, "Dec": [2.0]}), coords=(next(iter(ra)), "Dec"))
    assert found.reason[0].endswith("2250 deg is outside -360 to 360, read in hours as the column says")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["RA_nuc", "flux", "DEC_nuc"], "coords=('RA_nuc', 'DEC_nuc')"),
        (["\u03b1 (deg)", "\u03b4 (deg)"], "coords=('\u03b1 (deg)', '\u03b4 (deg)')"),
        (["DEC_fit", "RA_fit"], "coords=('RA_fit', 'DEC_fit')"),
        (["my alpha", "my delta"], "coords=('my alpha', 'my delta')"),
        (["name", "ra_hms", "dec_dms"], "coords=('ra_hms', 'dec_dms')"),
        (["radius", "x"], "coords=(ra_name, dec_name)"),
    ],
)
def test_columns_that_look_like_positions_are_named_but_not_taken(names, said):
    with pytest.raises(ValueError, match="found no positions") as error:
        sky_positions(Table({name: [1.0] for name in names}))
    assert said in str(error.value)
