"""What galaxies are called, and positions that are text."""

import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, Table

from galzoo_repr.catalogue import galaxy_names, name_resolution, read_position, rows_named


@pytest.mark.parametrize("column", ["name", "Name", "OBJNAME", "galaxy", "MAIN_ID", "iauname", "designation"])
def test_galaxies_have_the_names_of_the_catalogue(column):
    cat = Table({"ra": [1.0, 2.0], "dec": [1.0, 2.0], column: ["NGC 0628", b"M 51".decode()]})
    assert galaxy_names(cat) == ["NGC 0628", "M 51"]
    assert rows_named(cat, "NGC 0628")[0].tolist() == [0]
    assert rows_named(cat, "m51") == ([1], column)


@pytest.mark.parametrize("name", ["", " ", "nothing", "M 5", "628"])
def test_names_that_nothing_has(name):
    rows, column = rows_named(Table({"name": ["NGC 0628", "M 51", ""]}), name)
    assert (rows.tolist(), column) == ([], "")


def test_exact_names_go_before_loose_ones_and_names_before_ids():
    cat = Table({"id": [12, 13, 14], "name": ["13", "a b", "ab"]})
    assert rows_named(cat, "13") == ([0], "name")
    assert rows_named(cat, "12") == ([0], "id")
    assert rows_named(cat, "ab")[0].tolist() == [2]
    assert rows_named(cat, "A B")[0].tolist() == [1, 2]


def test_ids_are_exact_and_masked_ones_are_nobodys():
    cat = Table({"objid": MaskedColumn([2**63 + 1, 2**63 + 2, 5], dtype="u8", mask=[False, False, True])})
    assert rows_named(cat, str(2**63 + 2))[0].tolist() == [1]
    assert rows_named(cat, "5")[0].tolist() == []


def test_numbers_are_no_names():
    assert galaxy_names(Table({"name": [1.5, 2.5]})) == ["row 0", "row 1"]
    assert (
        rows_named(Table({"name": [1.5, 2.5], "where": SkyCoord([1, 2], [3, 4], unit="deg")}), "1.5")[1] == ""
    )


def test_ids_in_words_are_names_and_those_in_digits_are_not():
    place = {"ra": [10.0], "dec": [20.0]}
    assert galaxy_names(Table({"id": ["J004000.00+200000.0"], **place})) == ["J004000.00+200000.0"]
    assert galaxy_names(Table({"objid": [587722984435351614], **place})) == ["00h40m00s +20d00m00s"]
    assert galaxy_names(Table({"id": ["a1"], "name": ["NGC 1"], **place})) == ["NGC 1"]


HERE = SkyCoord(150.1, -2.2, unit="deg")


@pytest.mark.parametrize(
    "text",
    [
        "150.1 -2.2",
        "150.1,-2.2",
        "150.1-2.2",
        "150.1d -2.2d",
        "150.1 deg, -2.2 deg",
        "10h00m24s -2d12m",
        "10h00m24s-02d12m00s",
        "10h00.4m −2d12m",
        "10:00:24 -2:12:00",
        "10 00 24 -02 12 00",
        "10 h 00 m 24 s -2 d 12 m 0 s",
        "10:00:24 -2.2",
        "J100024-021200",
        "j100024.00-021200.0",
        "2MASXJ10002400-0212000",
        "DESI J150.1000-02.2000",
        "150.1 -2.2 (J2000.0)",
        b"150.1 -2.2",
        ("150.1", -2.2 * u.deg),
        HERE,
        HERE.galactic,
    ],
)
def test_a_position_in_every_form(text):
    assert read_position(text).separation(HERE) < 1e-3 * u.arcsec


@pytest.mark.parametrize(
    "text", ["", "150.1", "here", "150.1 95", "1 2 3", "J1000+0212", "10:00:61 2:00:00", "M51"]
)
def test_text_that_is_no_position(text):
    with pytest.raises(
        ValueError, match=r"is no sky position.*; give right ascension and declination such as"
    ):
        read_position(text)


@pytest.mark.parametrize("pair", [(150.1, 2.2), (150.1 * u.deg, 2.2), (1, 2, 3), 150.1, None])
def test_numbers_alone_are_no_position(pair):
    with pytest.raises(
        TypeError, match=r"is no position; give a SkyCoord, text such as '150.1 2.2', or two angles"
    ):
        read_position(pair)


@pytest.mark.parametrize(
    ("text", "arcsec"),
    [
        ("J100024+021200", 15),
        ("SDSS J100024.00+021200.0", 0.15),
        ("J150.1000+02.2000", 0.36),
        ("150 2", None),
    ],
)
def test_how_well_a_name_tells_the_position(text, arcsec):
    found = name_resolution(text)
    assert found is None if arcsec is None else found.to_value(u.arcsec) == pytest.approx(arcsec)
