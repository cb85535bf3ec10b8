"""Files as the real viewer sent them."""

import numpy as np
import pytest
from astropy.io import fits

from galzoo_repr.cutouts import CutoutRequest, validate_body

pytestmark = pytest.mark.real_data


def _request_for(path, **changes):
    header = fits.getheader(path)
    asked = {
        "ra": header["CRVAL1"], "dec": header["CRVAL2"], "size": header["NAXIS1"],
        "pixel_scale": header["CD2_2"] * 3600, "bands": header["BANDS"],
    }  # fmt: skip
    service = {"layer": "ls-dr10", "image_format": "fits", "server": "https://example.org", "route": "viewer"}
    return CutoutRequest(**{**asked, **service, **changes})


def _files(real_data):
    return sorted((real_data / "decals_fits").glob("galaxy_*.fits"))


def test_whole_cutouts_are_accepted(real_data):
    for path in _files(real_data):
        outcome = validate_body(_request_for(path), path.read_bytes())
        assert outcome.status == ("partial" if "bad_pix" in path.name else "ok"), (path.name, outcome)


def test_missing_pixels_are_counted(real_data):
    (path,) = (path for path in _files(real_data) if "bad_pix" in path.name)
    outcome = validate_body(_request_for(path), path.read_bytes())
    assert outcome.zero_fraction == pytest.approx(np.mean(fits.getdata(path) == 0, axis=(1, 2)).max())
    assert outcome.reason == "75.7% of g without data"


@pytest.mark.parametrize(
    ("change", "status"),
    [({"size": 500}, "bad_request"), ({"bands": "griz"}, "band_missing"), ({"ra": 1.0}, "corrupt")],
)
def test_answers_to_other_questions_are_not(real_data, change, status):
    path = _files(real_data)[0]
    assert validate_body(_request_for(path, **change), path.read_bytes()).status == status


def test_broken_download(real_data):
    path = real_data / "decals_fits" / "truncated.fits"
    outcome = validate_body(_request_for(_files(real_data)[0]), path.read_bytes())
    assert (outcome.status, outcome.reason) == ("truncated", "1389044 of 2162880 bytes came")


def test_every_prefix_of_a_cutout_is_refused(real_data):
    path = _files(real_data)[0]
    body, request = path.read_bytes(), _request_for(path)
    for length in [0, 1, 80, 2879, 2880, 5760, 100_000, len(body) - 2880, len(body) - 1]:
        assert validate_body(request, body[:length]).status in ("truncated", "corrupt", "server_error")
