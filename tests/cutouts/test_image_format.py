"""A survey object that asks for pictures instead of planes."""

import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from galzoo_repr import LegacySurvey

HERE = SkyCoord(150.1, 2.2, unit="deg")


@pytest.mark.parametrize(
    ("own", "asked", "path"),
    [
        ("fits", None, "/fits-cutout"),
        ("jpeg", None, "/jpeg-cutout"),
        ("jpeg", "fits", "/fits-cutout"),
        ("fits", "jpeg", "/jpeg-cutout"),
    ],
)
def test_format_of_the_object_holds_where_the_call_names_none(own, asked, path):
    survey = LegacySurvey(server="http://127.0.0.1:9/viewer", image_format=own)
    [url] = survey.get_image_list(HERE, image_format=asked)
    assert url.startswith(f"http://127.0.0.1:9/viewer{path}?")
    request = survey.request(150.1, 2.2, 64, 0.262 * u.arcsec, image_format=asked)
    assert request.image_format == (asked or own)


def test_unknown_format_is_refused():
    with pytest.raises(
        ValueError, match=r"image_format='tiff' is unknown; LegacySurvey knows 'fits' or 'jpeg'"
    ):
        LegacySurvey(image_format="tiff").get_images(HERE, get_query_payload=True)
