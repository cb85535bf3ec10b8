"""Angles that are arguments, in every form in which people write them."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import Angle
from astropy.table import Column, MaskedColumn

from galzoo_repr._angle import angle_unit, read_angle


@pytest.mark.parametrize(
    ("given", "arcsec"),
    [
        (30 * u.arcsec, 30),
        (Angle("0d0m30s"), 30),
        ("30 arcsec", 30),
        ("30arcsec", 30),
        ('30"', 30),
        ("30''", 30),
        ("30″", 30),
        ("30 Arcseconds", 30),
        ("30 [arcsec]", 30),
        ("3e1 ARCSEC", 30),
        (b"30 arcsec", 30),
        ("0.5'", 30),
        ("0.5′", 30),
        (".5 arc min", 30),
        ("500 mas", 0.5),
        ("0.1 deg", 360),
        ("0.1°", 360),
        ("0d6m0s", 360),
        ("0°6'", 360),
        ("1'30\"", 90),
        ("1 hourangle", 54000),
        ("1 rad", 206264.806),
        ("-30 arcsec", -30),
    ],
)
def test_an_angle_in_every_form(given, arcsec):
    assert read_angle(given, "fov").to_value(u.arcsec) == pytest.approx(arcsec)


@pytest.mark.parametrize(
    "text", ["", "30", "thirty arcsec", "30 kg", "30 s", "30 m", "1 h", "1:30", "30 as", "inf deg"]
)
def test_text_that_is_no_angle(text):
    with pytest.raises(ValueError, match="fov must be an angle with its unit, such as '30 arcsec', not "):
        read_angle(text, "fov")


@pytest.mark.parametrize(
    "value", [30, 30.0, None, 3 * u.m, 3 * u.hour, np.ones(3), Column([1.0]), [30.0], {}]
)
def test_numbers_and_other_things_are_refused(value):
    with pytest.raises(
        TypeError, match=r"radius must be an angle with its unit, such as 1 \* u.deg or '1 deg'"
    ):
        read_angle(value, "radius", example="1 deg")


@pytest.mark.parametrize(
    "several",
    [
        [60, 90] * u.arcsec,
        ["1 arcmin", "90 arcsec"],
        (1 * u.arcmin, "1.5 arcmin"),
        Column([60, 90], unit="arcsec"),
        Column([1, 1.5], unit=u.Unit("[ARCMIN]", parse_strict="silent")),
    ],
)
def test_one_angle_for_each_row(several):
    np.testing.assert_allclose(read_angle(several, "fov").to_value(u.arcsec), [60, 90])


def test_masks_stay():
    found = read_angle(MaskedColumn([60, 90], unit="arcsec", mask=[False, True]), "fov")
    assert found.mask.tolist() == [False, True]


@pytest.mark.parametrize("text", ["", "pix", "deg2", "deg/s", "min", "mag", "sr", "angle"])
def test_what_is_no_unit_of_angle(text):
    assert angle_unit(text) is None
