"""Files that leave the store: a name of its own for every name and content, which every system takes."""

import os
from pathlib import Path

import astropy.units as u
import pytest

from galzoo_repr.cutouts import Attempt, CutoutRequest, CutoutStore, Outcome, fetch_into
from galzoo_repr.cutouts._file_names import file_stem
from galzoo_repr.exceptions import GalzooWarning

# Several become the same name, for people, for file systems without capitals, or for those with accents of their own.
NAMES = [
    "NGC 1/2", "NGC 1_2", "NGC 1:2", "../x", "/etc/passwd", "..", ".", "", "a\0b", "a\nb", "-rf", ".hidden", "CON",
    "con.txt", "com\u00b9", "a", "A", "a.", "a ", "\u00e9", "e\u0301", "x" * 300, "x" * 301, "\u202egpj", "\ud800",
]  # fmt: skip


@pytest.fixture
def bodies(store, survey):
    """Files of different bodies in the store."""

    def fetch(n, ra=10.0, step=1.0):
        wanted = [survey.request(ra + step * row, 2.0, 32, 0.262 * u.arcsec) for row in range(n)]
        found = dict(fetch_into(store, survey, wanted))
        return [store.name(request, found[row]) for row, request in enumerate(wanted)]

    return fetch


def _same(folder, file, path):
    return (folder / file).read_bytes() == Path(path).read_bytes()


def test_every_name_and_content_has_a_file_in_the_folder(store, bodies, tmp_path):
    paths, folder = bodies(len(NAMES)), tmp_path / "deep" / "out"
    for _ in range(2):  # The second time finds them all.
        table = store.export(folder, cutouts=paths, names=NAMES)
        there = os.listdir(folder)
        assert sorted(table["file"]) == sorted(there)
        assert len({file.casefold() for file in there}) == len(there) == len(NAMES)
        assert all(_same(folder, file, path) for file, path in zip(table["file"], paths, strict=True))
    assert os.listdir(tmp_path / "deep") == ["out"]


def test_the_order_of_names_does_not_matter(store, bodies, tmp_path):
    paths = bodies(3)
    names = ["NGC 1/2", "NGC 1:2", "ngc 1_2"]
    store.export(tmp_path / "out", cutouts=paths, names=names)
    table = store.export(tmp_path / "out", cutouts=paths[::-1], names=names[::-1])
    assert len(os.listdir(tmp_path / "out")) == 3
    assert all(
        _same(tmp_path / "out", file, path) for file, path in zip(table["file"], paths[::-1], strict=True)
    )


def test_one_body_under_several_names_is_several_files(store, bodies, tmp_path):
    (path,) = bodies(1)
    table = store.export(tmp_path / "out", cutouts=[path, "", path, path], names=["a/b", "none", "a_b", "c"])
    assert len(set(table["file"])) == 3


def test_positions_that_are_written_alike_are_kept_apart(store, bodies, tmp_path):
    paths = bodies(5, step=3e-7)
    table = store.export(tmp_path / "out")
    assert len(set(table["file"])) == len(set(paths)) == len(os.listdir(tmp_path / "out"))


@pytest.mark.parametrize("there", ["a file", "a folder", "a dangling link"])
def test_what_is_there_is_left_alone(store, bodies, tmp_path, there):
    (path,), old = bodies(1), tmp_path / "g.fits"
    if there == "a folder":
        old.mkdir()
    elif there == "a file":
        old.write_text("precious")
    else:
        old.symlink_to(tmp_path / "nowhere")
    (file,) = store.export(tmp_path, cutouts=[path], names=["g"])["file"]
    assert file != "g.fits"
    assert _same(tmp_path, file, path)
    assert not (tmp_path / "nowhere").exists()
    if there == "a file":
        assert old.read_text() == "precious"


def test_rows_come_in_the_order_of_the_cutouts(store, bodies, tmp_path):
    paths = bodies(4)
    table = store.export(tmp_path / "out", cutouts=paths[::-1], names=list("dcba"))
    assert table["file"].tolist() == ["d.fits", "c.fits", "b.fits", "a.fits"]
    assert table["ra"].tolist() == [13.0, 12.0, 11.0, 10.0]


def test_what_is_damaged_or_strange_is_left_out_and_told(store, bodies, tmp_path):
    paths = bodies(2)
    Path(paths[0]).write_bytes(b"x")
    with (
        pytest.warns(GalzooWarning, match="1 of the cutouts are damaged"),
        pytest.warns(GalzooWarning, match="1 of the cutouts are not of this store"),
    ):
        table = store.export(tmp_path / "out", cutouts=[*paths, "elsewhere/abc.fits"])
    assert len(table) == 1


@pytest.mark.parametrize("picture", [b"", b"a small picture"])
def test_what_was_dropped_to_save_room_is_not_called_damaged(tmp_path, picture):
    with CutoutStore(tmp_path / "passing", keep="none") as store:
        request = CutoutRequest(1.0, 2.0, 16, 0.262, "grz", "layer", "fits", "http://service", "viewer")
        outcome = Outcome("ok", final=True)
        store.publish(request, Attempt(outcome, b"SIMPLE  ="))
        store.record([(request, outcome)])
        path = store.name(request, outcome)
        store.drop({outcome.digest: picture})
        for cutouts in (None, [path], [store.picture(outcome.digest)] if picture else [path]):
            with pytest.warns(GalzooWarning) as told:
                assert len(store.export(tmp_path / "out", cutouts=cutouts)) == 0
            assert [str(one.message)[:42] for one in told] == ["1 of the cutouts were dropped to save room"]
        assert len(store.verify()) == 0


@pytest.mark.parametrize(
    ("name", "stem"),
    [("NGC 4565", "NGC 4565"), ("J1234+5678", "J1234+5678"), ("M 31 (core)", "M 31 (core)"),
     ("Schrödinger", "Schrödinger"), ("lpt1.a", "_lpt1.a"), ("console", "console"), ("a\tb", "a_b"), ("a...", "a")],
)  # fmt: skip
def test_good_names_stay_as_they_are(name, stem):
    assert file_stem(name) == stem
