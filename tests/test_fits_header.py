"""The quick parser of FITS headers against that of astropy."""

import io

import numpy as np
import pytest
from astropy.io import fits

from galzoo_repr._fits_header import read_fits_header


@pytest.mark.parametrize(
    "value",
    ["plain", "O'Brien", "'", "''quoted''", "a / b", "it's / not a comment", "", "x" * 40, 7, -1.5e-30, True],
)
def test_values_are_those_of_astropy(value):
    body = io.BytesIO()
    fits.PrimaryHDU(np.zeros((2, 2)), fits.Header([("OBJECT", value, "it's a comment")])).writeto(body)
    cards, start = read_fits_header(body.getvalue())
    written = {True: "T"}.get(value, value) if isinstance(value, bool) else value
    assert cards["OBJECT"] == str(written) or float(cards["OBJECT"]) == value
    assert start == len(body.getvalue()) - 2880
