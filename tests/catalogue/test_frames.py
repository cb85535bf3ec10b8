"""Catalogues that say in which frame they are: positions come out in ICRS, or with a warning."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import FK4, FK5, BarycentricMeanEcliptic, FK4NoETerms, Galactic, SkyCoord
from astropy.io import fits
from astropy.table import Column, MaskedColumn, Table

from galzoo_repr import GalzooWarning
from galzoo_repr.catalogue import read_catalogue, sky_positions, write_catalogue

LON, LAT = np.array([10.0, 200.0, 359.9]), np.array([20.0, -70.0, 0.1])
B1950 = FK4(equinox="B1950")
B1900 = FK4(equinox="B1900")
ICRS = "icrs"


def table(names=("ra", "dec"), **meta):
    return Table({"id": [1, 2, 3], names[0]: LON, names[1]: LAT}, meta=meta)


def is_in(found, frame):
    return np.all(found.skycoord.separation(SkyCoord(LON, LAT, unit="deg", frame=frame).icrs) < 1 * u.mas)


@pytest.mark.parametrize(
    ("names", "frame"),
    [
        (("RAB1950", "DEB1950"), B1950),
        (("_RAB1950", "_DEB1950"), B1950),
        (("RA1950", "DE1950"), B1950),
        (("ra1950", "dec1950"), B1950),
        (("ra_b1950", "dec_b1950"), B1950),
        (("RA_1950", "DEC_1950"), B1950),
        (("RA_FK4", "DEC_FK4"), B1950),
        (("RA_DEG_B1950", "DEC_DEG_B1950"), B1950),
        (("B1950_RA", "B1950_DEC"), B1950),
        (("alpha1950", "delta1950"), B1950),
        (("RA (B1950)", "Dec (B1950)"), B1950),
        (("R.A. (1950.0)", "Decl. (1950.0)"), B1950),
        (("RAB1900", "DEB1900"), B1900),
        (("RA1875", "DE1875"), FK4(equinox="B1875")),
        (("GLON", "GLAT"), Galactic()),
        (("_Glon", "_Glat"), Galactic()),
        (("LII", "BII"), Galactic()),
        (("ELON", "ELAT"), BarycentricMeanEcliptic()),
        (("ecl_lon", "ecl_lat"), BarycentricMeanEcliptic()),
        (("SGL", "SGB"), "supergalactic"),
        (("RAJ2000", "DEJ2000"), ICRS),
    ],
)
def test_names_of_columns_tell_the_frame(names, frame):
    assert is_in(sky_positions(table(names)), frame)
    assert is_in(sky_positions(table(names), coords=names), frame)


@pytest.mark.parametrize("names", [("ra_1999", "dec_1999"), ("RA1950", "DE1900"), ("GLON", "ELAT")])
def test_other_years_and_unlike_pairs_are_no_frame(names):
    with pytest.raises(ValueError, match="found no positions"):
        sky_positions(table(names))


def test_single_letters_are_galactic_only_where_they_are_angles():
    galactic = table(("l", "b"))
    galactic["l"].unit = galactic["b"].unit = "deg"
    assert is_in(sky_positions(galactic), "galactic")


@pytest.mark.parametrize(
    ("meta", "frame"),
    [
        ({"RADESYS": "FK4"}, B1950),
        ({"RADESYS": "FK4 ", "EQUINOX": 1950.0}, B1950),
        ({"RADECSYS": "FK4"}, B1950),
        ({"RADECSYS": "FK4", "EQUINOX": 1900}, B1900),
        ({"EQUINOX": 1950.0}, B1950),
        ({"EQUINOX": "B1950"}, B1950),
        ({"equinox": "1950.0"}, B1950),
        ({"EQUINOX": 1900.0}, B1900),
        ({"EPOCH": 1950.0}, B1950),
        ({"RADESYS": "FK4-NO-E"}, FK4NoETerms(equinox="B1950")),
        ({"RADESYS": "FK5", "EQUINOX": 1975.0}, FK5(equinox="J1975")),
        ({"RADESYS": "FK5", "EPOCH": 1950.0}, FK5(equinox="J1950")),
        ({"RADE2": "FK4", "RADESYS": "ICRS"}, B1950),
        ({"EQUI2": 1950.0, "EQUI3": 1950.0}, B1950),
        ({"RADE7": "FK4", "RADE8": "FK4"}, B1950),
    ],
)
def test_fits_keywords_tell_the_frame_with_a_warning(meta, frame):
    with pytest.warns(
        GalzooWarning, match=rf"taken as FK.* as the meta of the catalogue says .*{next(iter(meta)).upper()}="
    ):
        assert is_in(sky_positions(table(**meta)), frame)


@pytest.mark.parametrize(
    ("meta", "frame"),
    [
        ({"RADE2": "ICRS", "EQUI2": 2000.0, "RADE3": "ICRS", "EQUI3": 2000.0}, ICRS),
        ({"RADESYS": "ICRS"}, ICRS),
        ({"RADESYS": "FK5", "EQUINOX": 2000.0}, ICRS),
        ({"EQUINOX": 2000.0}, ICRS),
        ({"EQUINOX": "J2000.0", "EPOCH": 1953.4}, ICRS),
        ({"EPOCH": 2000.0}, ICRS),
        ({"EPOCH": 2015.5}, ICRS),
        ({"RADESYS": "ICRS", "EPOCH": 1991.25}, ICRS),
        ({"RADESYS": "", "EQUINOX": "none"}, ICRS),
        ({"EQUINOX": None, "EPOCH": "first"}, ICRS),
        ({"RADESYS": "INDEF", "EQUINOX": "INDEF"}, ICRS),
        ({"EQUINOX": 0.0, "EPOCH": 0.0}, ICRS),
        ({"EQUINOX": "unknown", "RADESYS": "N/A"}, ICRS),
    ],
)
def test_fits_keywords_of_j2000_and_those_that_say_nothing_need_no_word(meta, frame):
    assert is_in(sky_positions(table(**meta)), frame)


@pytest.mark.parametrize(
    "meta",
    [
        {"RADESYS": "GAPPT"},
        {"RADESYS": "GALACTIC"},
        {"RADESYS": "ICRS", "EQUINOX": 1950.0},
        {"RADESYS": "FK4", "EQUINOX": 2000.0},
        {"EQUINOX": 2015.5},
        {"RADESYS": "FK5", "EQUINOX": 2023.7},
        {"EQUINOX": "of date"},
        {"EPOCH": 1979.4},
    ],
)
def test_what_is_unclear_is_taken_as_icrs_with_a_warning(meta):
    with pytest.warns(
        GalzooWarning,
        match=rf"ra and dec are taken as ICRS, but .*{next(iter(meta))}=.*coords=SkyCoord\(table",
    ):
        assert is_in(sky_positions(table(**meta)), ICRS)


@pytest.mark.parametrize("meta", [{"EQUINOX": 1950.0}, {"RADESYS": "FK4"}, {"RADESYS": "odd"}])
def test_names_with_an_equinox_go_before_keywords(meta):
    assert is_in(sky_positions(table(("RAJ2000", "DEJ2000"), **meta)), ICRS)


@pytest.mark.parametrize("old", [("RAB1950", "DEB1950"), ("GLON", "GLAT"), ("ra", "dec")])
@pytest.mark.parametrize(
    "new", [("RAJ2000", "DEJ2000"), ("RA_ICRS", "DE_ICRS"), ("ALPHA_J2000", "DELTA_J2000")]
)
def test_j2000_wins_where_a_catalogue_has_both(old, new):
    both = table(new, EQUINOX=1950.0)
    both.add_columns([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], names=old, indexes=[0, 0])
    assert is_in(sky_positions(both), ICRS)


def test_keywords_are_about_columns_that_are_named_after_their_equinox():
    both = table(("RAB1950", "DEB1950"), EQUINOX=1950.0)
    both.add_columns([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], names=["ra", "dec"], indexes=[0, 0])
    assert is_in(sky_positions(both), B1950)
    with pytest.warns(
        GalzooWarning, match="ra and dec are taken as ICRS, but the meta of the catalogue says EQUINOX"
    ):
        np.testing.assert_allclose(sky_positions(both, coords=("ra", "dec")).ra, [1, 2, 3])


@pytest.mark.parametrize(
    ("words", "frame"),
    [
        ("Right ascension or declination (FK4, Equinox=B1950.0)", B1950),
        ("Coordinate (1950.0)", B1950),
        ("position, equinox 1900", B1900),
        ("position (FK5, Equinox=J2000.0) made from B1950", ICRS),
        ("position of epoch 1987, see Smith (2019)", ICRS),
        ("position by Abell (1958), beside PSR B1937+21", ICRS),
    ],
)
def test_descriptions_tell_the_frame(words, frame):
    described = table()
    described["ra"].description = described["dec"].description = words
    assert is_in(sky_positions(described), frame)


@pytest.mark.parametrize(
    "words",
    [
        "{}, converted from B1950",
        "{} precessed (FK4)",
        "{} of epoch (1950.0)",
        "{} by Shapley (1950)",
        "{} tied to FK4",
    ],
)
def test_descriptions_that_tell_of_another_equinox_do_not_change_positions(words):
    described = table()
    for name in ("ra", "dec"):
        described[name].description = words.format(name)
    with pytest.warns(GalzooWarning, match="taken as ICRS, but ra is described as"):
        assert is_in(sky_positions(described), ICRS)


def test_keywords_of_other_positions_are_not_about_the_first():
    joined = table(RADE4="FK4", EQUI4=1950.0)
    joined.add_columns([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], names=["ra_radio", "dec_radio"])
    assert joined.colnames[3] == "ra_radio"
    assert is_in(sky_positions(joined), ICRS)


def test_a_unit_may_tell_the_frame():
    odd = u.Unit("deg (B1950)", parse_strict="silent")
    columns = {"ra": Column(LON, unit=odd), "dec": Column(LAT, unit=odd)}
    assert is_in(sky_positions(Table(columns)), B1950)


@pytest.mark.parametrize(
    ("ucds", "frame"),
    [
        (("pos.galactic.lon", "pos.galactic.lat"), "galactic"),
        (("pos.ecliptic.lon", "pos.ecliptic.lat"), BarycentricMeanEcliptic()),
        (("POS_EQ_RA_MAIN", "POS_EQ_DEC_MAIN"), ICRS),
    ],
)
def test_ucds_tell_the_frame(ucds, frame):
    marked = table(("x", "y"))
    marked["x"].meta["ucd"], marked["y"].meta["ucd"] = ucds
    assert is_in(sky_positions(marked), frame)


def test_bad_rows_stay_bad_and_sexagesimal_is_read():
    old = Table(
        {
            "RAB1950": MaskedColumn(["00:40:00", "13:20:00", "1:00:00", ""], mask=[0, 0, 1, 0]),
            "DEB1950": ["+20:00:00", "-95:00:00", "0:0:0", "0:0:0"],
        }
    )
    found = sky_positions(old)
    assert found.valid.tolist() == [True, False, False, False]
    assert found.skycoord[0].separation(SkyCoord(10, 20, unit="deg", frame=B1950).icrs) < 1 * u.mas
    assert found.reason[1] == "DEB1950: declination -95 deg is outside -90 to 90"
    galactic = sky_positions(Table({"GLON": ["90:00:00"], "GLAT": ["-10:00:00"]}))
    assert galactic.skycoord[0].separation(SkyCoord(90, -10, unit="deg", frame="galactic").icrs) < 1 * u.mas


FIELDS = '<FIELD ID="c1" name="{}" {} datatype="double"/><FIELD ID="c2" name="{}" {} datatype="double"/>'
ROWS = "".join(f"<TR><TD>{lon}</TD><TD>{lat}</TD></TR>" for lon, lat in zip(LON, LAT, strict=True))
BOTH = '<FIELDref ref="c1"/><FIELDref ref="c2"/>'
STC = (
    '<GROUP utype="stc:CatalogEntryLocation"><PARAM name="f" datatype="char" arraysize="*" value="FK4" '
    'utype="stc:AstroCoordSystem.SpaceFrame.CoordRefFrame"/><PARAM name="e" datatype="char" arraysize="*" '
    f'value="B1950.0" utype="stc:AstroCoordSystem.SpaceFrame.CoordRefFrame.Equinox"/>{BOTH}</GROUP>'
)


def votable(
    path, systems, *, names=("ra", "dec"), attribute='ref="s1"', group="", version="1.4", early=False
):
    fields = FIELDS.format(names[0], attribute, names[1], attribute)
    body = f"<TABLE>{group}{fields}<DATA><TABLEDATA>{ROWS}</TABLEDATA></DATA></TABLE>"
    before, within = (f"<DEFINITIONS>{systems}</DEFINITIONS>", "") if early else ("", systems)
    path.write_text(f'<VOTABLE version="{version}">{before}<RESOURCE>{within}{body}</RESOURCE></VOTABLE>')
    return read_catalogue(path)


def coosys(system, more="", number=1):
    return f'<COOSYS ID="s{number}" system="{system}" {more}/>'


OLD = coosys("eq_FK4", 'equinox="B1950"')
DECLARED = {
    "field": ({"systems": OLD}, B1950),
    "new words": ({"systems": coosys("FK4", 'equinox="B1950" refposition="BARYCENTER"'), "version": "1.5"}, B1950),
    "definitions": ({"systems": OLD, "early": True, "version": "1.1"}, B1950),
    "group": ({"systems": OLD, "attribute": "", "group": f'<GROUP ref="s1">{BOTH}</GROUP>'}, B1950),
    "group in a group": (
        {"systems": OLD, "attribute": "", "group": f'<GROUP ref="s1"><GROUP>{BOTH}</GROUP></GROUP>'}, B1950,
    ),
    "described": ({"systems": "", "attribute": "", "group": STC}, B1950),
    "the only one": ({"systems": OLD, "attribute": ""}, B1950),
    "no equinox": ({"systems": coosys("eq_FK4")}, B1950),
    "another equinox": ({"systems": coosys("eq_FK4", 'equinox="B1900"')}, B1900),
    "epoch": (
        {"systems": coosys("eq_FK4", 'equinox="B1950" epoch="J1983.5"')}, FK4(equinox="B1950", obstime="J1983.5"),
    ),
    "FK5 of 1975": ({"systems": coosys("eq_FK5", 'equinox="J1975"')}, FK5(equinox="J1975")),
    "galactic": ({"systems": coosys("galactic"), "names": ("x", "y")}, "galactic"),
    "galactic by name": ({"systems": OLD, "names": ("GLON", "GLAT")}, "galactic"),
    "two systems": ({"systems": coosys("ICRS") + coosys("eq_FK4", 'equinox="B1950"', 2)}, ICRS),
    "two, none meant": ({"systems": OLD + coosys("ICRS", "", 2), "attribute": ""}, ICRS),
    "FK5": ({"systems": coosys("eq_FK5", 'equinox="J2000"')}, ICRS),
    "Gaia": ({"systems": coosys("ICRS", 'epoch="J2016.0"')}, ICRS),
}  # fmt: skip


@pytest.mark.parametrize("form", DECLARED)
def test_votables_tell_the_frame_and_every_format_keeps_it(form, tmp_path):
    given, frame = DECLARED[form]
    found = votable(tmp_path / "given.vot", **given)
    coords = ("x", "y") if "x" in found.colnames else None
    assert is_in(sky_positions(found, coords=coords), frame)
    for ending in ("ecsv", "parquet", "fits", "vot"):
        write_catalogue(found, tmp_path / f"kept.{ending}")
        assert is_in(sky_positions(read_catalogue(tmp_path / f"kept.{ending}"), coords=coords), frame)
    # Without the record of the package, as another program reads it.
    text = (tmp_path / "kept.vot").read_bytes().replace(b"galzoo_repr_table", b"something_else")
    (tmp_path / "kept.vot").write_bytes(text)
    assert is_in(sky_positions(read_catalogue(tmp_path / "kept.vot"), coords=coords), frame)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"systems": coosys("geo_app")}, "ra and dec are taken as ICRS, but the frame is 'geo_app'"),
        (
            {"systems": coosys("galactic")},
            "ra and dec are taken as ICRS, but the file says COOSYS system='galactic'",
        ),
        (
            {"systems": OLD, "names": ("RAJ2000", "DEJ2000")},
            "RAJ2000 and DEJ2000 are taken as ICRS, by their names, but the file says COOSYS system='eq_FK4'",
        ),
    ],
)
def test_votables_that_contradict_themselves_are_doubted(given, message, tmp_path):
    found = votable(tmp_path / "given.vot", **given)
    with pytest.warns(GalzooWarning, match=message):
        assert is_in(sky_positions(found), ICRS)


def test_two_columns_of_unlike_systems_are_doubted():
    unlike = table()
    unlike["ra"].meta["coosys"], unlike["dec"].meta["coosys"] = {"system": "FK4"}, {"system": "ICRS"}
    with pytest.warns(
        GalzooWarning, match="COOSYS system='FK4' of one and COOSYS system='ICRS' of the other"
    ):
        assert is_in(sky_positions(unlike), ICRS)


def test_a_name_of_old_equinox_goes_before_a_newer_system(tmp_path):
    found = votable(tmp_path / "given.vot", coosys("ICRS"), names=("RAB1950", "DEB1950"))
    with pytest.warns(
        GalzooWarning,
        match=r"taken as FK4 of B1950.000, by their names, but the file says COOSYS system='ICRS'",
    ):
        assert is_in(sky_positions(found), B1950)


@pytest.mark.parametrize(
    "cards", [{"RADECSYS": "FK4"}, {"EPOCH": 1950.0}, {"EQUINOX": 1950.0, "RADESYS": "FK4"}]
)
def test_headers_of_fits_files_tell_the_frame(cards, tmp_path):
    unit = fits.BinTableHDU.from_columns(
        [fits.Column("RA", "D", array=LON), fits.Column("DEC", "D", array=LAT)]
    )
    unit.header.update(cards)
    unit.writeto(tmp_path / "given.fits")
    with pytest.warns(GalzooWarning, match="RA and DEC are taken as FK4 of B1950"):
        assert is_in(sky_positions(read_catalogue(tmp_path / "given.fits")), B1950)


def test_equatorial_positions_go_before_galactic_ones_which_are_often_rounded():
    both = table(EQUINOX=1950.0)
    both["GLON"], both["GLAT"] = [1.0, 2.0, 3.0], [4.0, 5.0, 6.0]
    with pytest.warns(GalzooWarning, match="ra and dec are taken as FK4"):
        assert is_in(sky_positions(both), B1950)


def test_sky_coordinates_know_their_own_frame():
    known = Table({"where": SkyCoord(LON, LAT, unit="deg")}, meta={"EQUINOX": 1950.0})
    assert is_in(sky_positions(known), ICRS)
