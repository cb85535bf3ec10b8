"""Replaying recorded images: what is in the folder is what is sent."""

import io
import tarfile

import numpy as np
import pytest
import requests
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from PIL import Image

from galzoo_repr import GalzooWarning
from galzoo_repr.simulation import Recording, ReplaySurvey, replay
from galzoo_repr.simulation._sky_image import tangent_wcs


def write_fits(path, ra, dec, size=20, value=0.1):
    header = tangent_wcs(ra, dec, width=size, height=size, pixel_scale=0.262).to_header()
    fits.PrimaryHDU(np.full((3, size, size), value, np.float32), header).writeto(path)


def write_jpeg(path, size=20, colour="navy"):
    Image.new("RGB", (size, size), colour).save(path, "JPEG")


@pytest.fixture
def folder(tmp_path):
    write_fits(tmp_path / "one.fits", 150.0, 2.0)
    write_jpeg(tmp_path / "one.jpg")
    write_fits(tmp_path / "two.fits", 150.1, 2.0, size=30)
    write_jpeg(tmp_path / "stray.jpg", colour="red")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "._one.fits").write_bytes(b"what a desktop left")
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE")
    return tmp_path


def ask(service, path, **parameters):
    return requests.get(f"{service.url}/{path}", params=parameters, timeout=10)


def test_files_are_sent_as_they_are(folder):
    with replay(folder).serve() as service:
        answer = ask(service, "fits-cutout", ra=150.0, dec=2.0)
        assert answer.content == (folder / "one.fits").read_bytes()
        assert answer.headers["Content-Type"] == "image/fits"
        assert ask(service, "cutout.fits", ra=150.1, dec=2.0).content == (folder / "two.fits").read_bytes()
        assert ask(service, "cutout.jpg", ra=150.0, dec=2.0).content == (folder / "one.jpg").read_bytes()


def test_positions_come_from_headers_without_a_table(folder):
    survey = replay(folder)
    assert sorted(recording.path.name for recording in survey.recordings) == [
        "one.fits",
        "one.jpg",
        "two.fits",
    ]
    assert repr(survey) == "<ReplaySurvey of 2 FITS and 1 JPEG images>"


@pytest.mark.parametrize(("offset", "status"), [(4.9, 200), (5.1, 500)])
def test_tolerance(folder, offset, status):
    with replay(folder).serve() as service:
        assert ask(service, "cutout.fits", ra=150.0, dec=2.0 + offset / 3600).status_code == status


def test_far_from_all_recordings_is_outside_the_footprint(folder):
    with replay(folder).serve() as service:
        assert ask(service, "cutout.fits", ra=10.0, dec=2.0).status_code == 500
        grey = np.asarray(
            Image.open(io.BytesIO(ask(service, "cutout.jpg", ra=10.0, dec=2.0, size=12).content))
        )
        assert grey.shape == (12, 12, 3)
        assert (grey == 32).all()


def test_jpeg_is_drawn_where_there_is_only_fits(folder):
    with replay(folder).serve() as service:
        picture = Image.open(io.BytesIO(ask(service, "cutout.jpg", ra=150.1, dec=2.0).content))
        assert picture.size == (30, 30)
        assert np.asarray(picture).mean() > 40


def test_fits_is_refused_where_there_is_only_jpeg(folder):
    table = Table({"file": ["one.jpg"], "ra": [150.0], "dec": [2.0]})
    with replay(folder, table).serve() as service:
        assert ask(service, "cutout.fits", ra=150.0, dec=2.0).status_code == 500


def test_viewer_manners_are_kept(folder):
    with replay(folder).serve() as service:
        assert ask(service, "cutout.fits", ra=150.0, dec=2.0, layer="ls-dr99").text == "no such layer"
        assert ask(service, "cutout.fits").status_code == 400


def test_width_decides_between_images_of_one_place(tmp_path):
    for size in (20, 60):
        write_fits(tmp_path / f"{size}.fits", 150.0, 2.0, size=size)
    with replay(tmp_path).serve() as service:
        for size in (20, 60):
            body = ask(service, "cutout.fits", ra=150.0, dec=2.0, size=size).content
            assert fits.getheader(io.BytesIO(body))["NAXIS1"] == size


def test_truncated_file_is_sent_as_it_is(tmp_path):
    write_fits(tmp_path / "whole.fits", 150.0, 2.0)
    body = (tmp_path / "whole.fits").read_bytes()[:4000]
    (tmp_path / "whole.fits").unlink()
    (tmp_path / "short.fits").write_bytes(body)
    with replay(tmp_path).serve() as service:
        assert ask(service, "cutout.fits", ra=150.0, dec=2.0).content == body
        assert ask(service, "cutout.jpg", ra=150.0, dec=2.0).status_code == 500


@pytest.mark.parametrize(("resize", "size"), [(False, (20, 20)), (True, (33, 33))])
def test_jpeg_can_be_resized(folder, resize, size):
    with replay(folder, resize=resize).serve() as service:
        body = ask(service, "cutout.jpg", ra=150.0, dec=2.0, size=33).content
        assert Image.open(io.BytesIO(body)).size == size
        same = ask(service, "cutout.jpg", ra=150.0, dec=2.0, size=20).content
        assert same == (folder / "one.jpg").read_bytes()


@pytest.mark.parametrize("form", ["table", "path", "string"])
def test_table_of_positions(folder, form):
    table = Table(
        {"picture": [f"{folder.name}/one.jpg", "stray.jpg"], "ra": [10.0, 20.0], "dec": [1.0, -1.0]}
    )
    written = folder / "positions.csv"
    table.write(written)
    positions = {"table": table, "path": written, "string": str(written)}[form]
    with replay(folder, positions, file_column="picture").serve() as service:
        assert ask(service, "cutout.jpg", ra=10.0, dec=1.0).content == (folder / "one.jpg").read_bytes()
        assert ask(service, "cutout.jpg", ra=20.0, dec=-1.0).content == (folder / "stray.jpg").read_bytes()


def test_rows_without_a_file_are_left_out_with_a_warning(folder):
    table = Table(
        {
            "file": ["one.jpg", "gone.jpg", "notes.txt", "stray.jpg"],
            "ra": [1.0, 2.0, 3.0, np.nan],
            "dec": [0.0] * 4,
        }
    )
    with pytest.warns(
        GalzooWarning, match="3 rows without an image file or a position are left out, such as gone.jpg"
    ):
        survey = replay(folder, table)
    assert len(survey.recordings) == 1


def test_bad_arguments_are_refused(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        replay(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="has no column ra, dec"):
        replay(folder, Table({"file": ["one.jpg"]}))
    with pytest.raises(ValueError, match="none of the files named in column 'file' is there"):
        replay(folder, Table({"file": ["gone.jpg"], "ra": [1.0], "dec": [1.0]}))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="give a table of positions"):
        replay(empty)
    with pytest.raises(TypeError, match=r"such as 5 \* u.arcsec"):
        ReplaySurvey([], tolerance=3)


def test_recordings_may_be_given_one_by_one(folder):
    survey = ReplaySurvey([Recording(folder / "one.jpg", "jpeg", 5.0, 5.0)], tolerance=1 * u.arcmin)
    with survey.serve() as service:
        assert ask(service, "cutout.jpg", ra=5.0, dec=5.01).content == (folder / "one.jpg").read_bytes()


@pytest.mark.real_data
def test_real_fits_are_replayed(real_data):
    survey = replay(real_data / "decals_fits")
    assert len([one for one in survey.recordings if one.kind == "fits"]) == 9
    with survey.serve() as service:
        for recording in survey.recordings:
            path = "cutout.fits" if recording.kind == "fits" else "cutout.jpg"
            size = 225 if recording.path.name == "small.fits" else 424
            body = ask(service, path, ra=recording.ra, dec=recording.dec, size=size).content
            assert body == recording.path.read_bytes()


@pytest.mark.real_data
def test_real_rings_are_replayed(real_data, tmp_path):
    table = Table.read(real_data / "decals_rings.csv")[:12]
    with tarfile.open(real_data / "decals_rings.tar") as archive:
        archive.extractall(tmp_path, [archive.getmember(name) for name in table["file"]], filter="data")
    with replay(tmp_path / "decals_rings", table).serve() as service:
        for row in table:
            body = ask(service, "jpeg-cutout", ra=row["ra"], dec=row["dec"], layer="ls-dr10").content
            assert body == (tmp_path / row["file"]).read_bytes()
