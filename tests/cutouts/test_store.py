"""The store: what is kept, found again, checked, exported and thrown away."""

import errno
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import astropy.units as u
import pytest

from galzoo_repr import GalzooWarning
from galzoo_repr.cutouts import CutoutRequest, CutoutStore, CutoutStoreError, Outcome


@pytest.fixture
def requests_(survey):
    return [survey.request(10.0 + i, 2.0, 32, 0.262 * u.arcsec) for i in range(5)]


@pytest.fixture
def filled(store, survey, requests_, fetch_all):
    fetch_all(store, survey, requests_)
    return store


def _bodies(store):
    return sorted(store.root.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*.fits"))


def test_bodies_are_what_the_server_sent(filled, requests_, viewer, service):
    sent = {viewer.fits(entry).body for entry in service.requests}
    outcomes = filled.lookup(requests_)
    kept = {filled.path(r, o).read_bytes() for r, o in zip(requests_, outcomes, strict=True)}
    assert kept == sent
    assert len(_bodies(filled)) == 5


def test_lookup_is_row_by_row(filled, requests_, survey):
    never = survey.request(99.0, 2.0, 32, 0.262 * u.arcsec)
    found = filled.lookup([never, requests_[1], requests_[1], never])
    assert [outcome is None for outcome in found] == [True, False, False, True]
    assert found[1].status == "ok"
    assert found[1].http_code == 200
    assert found[1].attempts == 1
    assert found[1].final


def test_a_body_that_has_gone_counts_as_never_asked(filled, requests_, survey, service, fetch_all):
    filled.path(requests_[0], filled.lookup(requests_)[0]).unlink()
    assert filled.lookup(requests_)[0] is None
    asked = len(service.requests)
    fetch_all(filled, survey, requests_)
    assert len(service.requests) == asked + 1
    assert filled.lookup(requests_)[0].status == "ok"


@pytest.mark.parametrize(
    "change", [{"size": 33}, {"bands": "g"}, {"layer": "ls-dr9"}, {"image_format": "jpeg"}]
)
def test_other_requests_have_other_keys(survey, change):
    options = {"size": 32, "pixel_scale": 0.262 * u.arcsec, "bands": "grz"}
    same = survey.request(1.0, 2.0, **options)
    assert survey.request(361.0, 2.0, **options).key == same.key
    assert survey.request(1.0, 2.0, **{**options, **change}).key != same.key


def test_services_do_not_answer_for_each_other(survey):
    here = survey.request(1.0, 2.0, 32, 0.262 * u.arcsec)
    survey.server = "https://www.legacysurvey.org/viewer"
    assert survey.request(1.0, 2.0, 32, 0.262 * u.arcsec).key != here.key


def test_stats(filled, requests_, survey, viewer, fetch_all):
    viewer.holes = {"g": 0.3}
    fetch_all(filled, survey, [survey.request(50.0, 2.0, 32, 0.262 * u.arcsec)])
    fetch_all(filled, survey, [survey.request(50.0, 80.0, 32, 0.262 * u.arcsec)])
    stats = filled.stats()
    assert dict(zip(stats["status"], stats["n"], strict=True)) == {"no_coverage": 1, "ok": 5, "partial": 1}
    assert stats["size"].unit == u.byte
    assert stats["size"][0] == 0


def test_verify_finds_and_repairs_what_is_damaged(filled, requests_, survey, fetch_all):
    assert len(filled.verify()) == 0
    bodies = _bodies(filled)
    changed = bytearray(bodies[0].read_bytes())
    changed[5000] ^= 1
    bodies[0].write_bytes(changed)
    bodies[1].write_bytes(b"short")
    bodies[2].unlink()
    bad = filled.verify()
    assert sorted(bad["problem"]) == [
        "cannot be read: No such file or directory", "has 5 bytes instead of 17280", "is not what was stored",
    ]  # fmt: skip
    assert set(bad["cutout"]) == {str(path) for path in bodies[:3]}
    filled.verify(repair=True)
    assert len(filled.verify()) == 0
    fetch_all(filled, survey, requests_)
    assert _bodies(filled) == bodies
    assert len(filled.verify()) == 0


class TestExport:
    def test_names_people_understand(self, filled, tmp_path):
        table = filled.export(tmp_path / "out")
        assert "10.00000+2.00000_ls-dr10_grz_32px_0.262arcsec.fits" in table["file"]
        assert len(list((tmp_path / "out").iterdir())) == len(table) == 5
        assert table["pixel_scale"].unit == u.arcsec

    def test_chosen_ones_under_own_names(self, filled, requests_, tmp_path):
        first, third = (filled.path(requests_[i], filled.lookup(requests_)[i]) for i in (0, 2))
        cutouts = [str(first), "", str(third)]
        table = filled.export(tmp_path, cutouts=cutouts, names=["first", "none", "third"])
        assert sorted(table["file"]) == ["first.fits", "third.fits"]
        assert (tmp_path / "third.fits").read_bytes() == third.read_bytes()

    def test_names_must_fit(self, filled, tmp_path):
        with pytest.raises(ValueError, match="different, one for each"):
            filled.export(tmp_path, cutouts=["a", "b"], names=["x", "x"])

    def test_says_where_counts_are_in_another_scale(self, store, survey, fetch_all, tmp_path):
        survey.layer = "sdss"
        fetch_all(store, survey, [survey.request(10.0, 2.0, 32, 0.396 * u.arcsec, bands="gri")])
        with pytest.warns(
            GalzooWarning, match="files of sdss by viewer are not nanomaggies per pixel"
        ) as caught:
            assert len(store.export(tmp_path / "out")) == 1
        assert caught[0].filename == __file__


def test_describe_says_where_cutouts_came_from(filled, requests_):
    outcome = filled.lookup(requests_)[3]
    described = filled.describe([str(filled.path(requests_[3], outcome)), "", "/elsewhere/x.fits"])
    assert list(described["route"]) == ["viewer", "", ""]
    assert described["layer"][0] == "ls-dr10"
    assert described["ra"][0] == 13
    assert list(described["size"]) == [32, 0, 0]
    assert described["pixel_scale"].unit == u.arcsec
    assert list(described["cutout_status"]) == ["ok", "", ""]


class TestPrune:
    def test_failures_are_forgotten(self, filled, requests_):
        north = CutoutRequest(1.0, 80.0, 32, 0.262, "grz", "ls-dr10", "fits", "http://x", "viewer")
        filled.record([(north, Outcome("server_error"))])
        assert filled.prune(failures=True) == 1
        assert filled.lookup([north]) == [None]
        assert len(_bodies(filled)) == 5

    def test_layer_and_age(self, filled):
        assert filled.prune(older_than=1 * u.day) == 0
        assert filled.prune(layer="ls-dr9") == 0
        assert filled.prune(layer="ls-dr10", older_than=0 * u.day) == 5
        assert _bodies(filled) == []

    @pytest.mark.parametrize("condition", [{"older_than": 5}, {"older_than": 5 * u.m}, {"layer": 10}])
    def test_conditions_that_are_none(self, filled, condition):
        with pytest.raises(TypeError, match=r"is not a time; give a unit|is not the name of an image layer"):
            filled.prune(**condition)
        assert len(_bodies(filled)) == 5

    def test_leftovers_of_killed_processes(self, filled):
        folder = filled.root / "ab" / "cd"
        folder.mkdir(parents=True, exist_ok=True)
        (filled.root / "tmp").mkdir()
        old, fresh, orphan = (folder / name for name in (".old.part.fits", ".fresh.part.fits", "orphan.fits"))
        of_an_older_version = filled.root / "tmp" / "old"
        for path in (old, fresh, orphan, of_an_older_version):
            path.write_bytes(b"x")
        for path in (old, orphan, of_an_older_version):
            os.utime(path, (0, 0))
        assert filled.prune() == 0
        # Drafts that may be on their way stay whatever is thrown away.
        assert filled.prune(layer="ls-dr9") == 0
        assert fresh.exists()
        assert not any(path.exists() for path in (old, orphan, of_an_older_version))
        fresh.unlink()
        assert len(_bodies(filled)) == 5


class TestTrouble:
    def test_damaged_manifest_is_named_and_made_again(self, filled, requests_):
        root = filled.root
        filled.close()
        bodies = _bodies(filled)
        for path in root.glob("manifest.sqlite-*"):
            path.unlink()
        (root / "manifest.sqlite").write_bytes(b"no database, this. " * 1000)
        with pytest.raises(CutoutStoreError, match=r"is damaged.*CutoutStore\.rebuild"):
            CutoutStore(root)
        with CutoutStore.rebuild(root) as again:
            assert _bodies(again) == bodies
            assert [outcome.status for outcome in again.lookup(requests_)] == ["ok"] * 5
            assert len(again.verify()) == 0
        assert (root / "manifest.damaged").exists()

    def test_rebuild_leaves_out_damaged_bodies(self, filled, requests_):
        filled.close()
        _bodies(filled)[0].write_bytes(b"short")
        with CutoutStore.rebuild(filled.root) as again:
            assert sum(outcome is None for outcome in again.lookup(requests_)) == 1

    def test_damage_within_the_manifest(self, filled, requests_):
        filled.manifest._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        filled.close()
        path = filled.root / "manifest.sqlite"
        content = bytearray(path.read_bytes())
        content[4096:] = b"\xff" * (len(content) - 4096)
        path.write_bytes(content)
        with pytest.raises(CutoutStoreError, match="damaged"), CutoutStore(filled.root) as store:
            store.lookup(requests_)

    def test_full_disk_says_so_and_keeps_what_is_good(
        self, store, survey, requests_, monkeypatch, service, fetch_all
    ):
        real_write = os.replace
        count = []

        def full(source, target):
            count.append(target)
            if len(count) > 2:
                raise OSError(errno.ENOSPC, "No space left on device")
            real_write(source, target)

        survey.workers = 1
        monkeypatch.setattr(os, "replace", full)
        with pytest.raises(CutoutStoreError, match=r"no space is left for cutouts in .*kept"):
            fetch_all(store, survey, requests_)
        monkeypatch.undo()
        assert not list(store.root.glob("*/*/.*"))
        statuses = [outcome.status for outcome in store.lookup(requests_) if outcome is not None]
        assert statuses.count("ok") == 2
        assert set(statuses) <= {"ok", "cancelled"}
        assert len(store.verify()) == 0
        kept = {r.ra for r, o in zip(requests_, store.lookup(requests_), strict=True) if o and o.digest}
        assert [outcome.status for outcome in fetch_all(store, survey, requests_)] == ["ok"] * 5
        asked = [float(request.query["ra"]) for request in service.requests]
        assert [asked.count(ra) for ra in kept] == [1, 1]

    def test_full_disk_under_the_manifest(self, store, survey, requests_, monkeypatch, fetch_all):
        def full(rows):
            raise CutoutStoreError("the manifest cannot be used: database or disk is full")

        monkeypatch.setattr(store.manifest, "record", full)
        with pytest.raises(CutoutStoreError, match="disk is full"):
            fetch_all(store, survey, requests_)
        monkeypatch.undo()
        assert [outcome.status for outcome in fetch_all(store, survey, requests_)] == ["ok"] * 5

    def test_full_disk_is_told_from_damage(self, store, requests_):
        (pages,) = store.manifest._db.execute("PRAGMA page_count").fetchone()
        store.manifest._db.execute(f"PRAGMA max_page_count={pages}")
        many = [(replace(requests_[0], ra=i / 100), Outcome("no_coverage", final=True)) for i in range(500)]
        with pytest.raises(CutoutStoreError, match=r"disk is full; make room"):
            store.record(many)

    def test_read_only_store_answers_what_it_has(self, filled, requests_, survey, service, fetch_all):
        filled.close()
        with CutoutStore(filled.root, read_only=True) as store:
            assert [outcome.status for outcome in fetch_all(store, survey, requests_)] == ["ok"] * 5
            asked = len(service.requests)
            more = survey.request(77.0, 2.0, 32, 0.262 * u.arcsec)
            with pytest.raises(CutoutStoreError, match=r"cutouts are missing \(1\).*read-only"):
                fetch_all(store, survey, [*requests_, more])
            assert len(service.requests) == asked
            for act in (store.prune, lambda: store.verify(repair=True)):
                _bodies(store)[0].write_bytes(b"")
                with pytest.raises(CutoutStoreError, match="read-only"):
                    act()

    def test_read_only_folder_is_noticed(self, filled, requests_, monkeypatch):
        filled.close()
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        with CutoutStore(filled.root) as store:
            assert store.read_only
            assert store.lookup(requests_)[0].status == "ok"

    @pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX file systems")
    def test_folder_of_another_user(self, filled):
        """In a process without the rights of root, which would not be refused anything."""
        filled.close()
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)  # the temporary folders of pytest are closed to other users
            root = Path(shutil.copytree(filled.root, Path(folder) / "store"))
            for path in [root, *root.rglob("*")]:
                path.chmod(0o555 if path.is_dir() else 0o444)
            try:
                self._check_unwritable(root)
            finally:
                for path in [root, *root.rglob("*")]:
                    path.chmod(0o755)

    @staticmethod
    def _check_unwritable(root):
        code = (
            "import os, sys\n"
            "from galzoo_repr import CutoutStore\n"
            "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
            "store = CutoutStore(sys.argv[1])\n"
            "print(store.read_only, store.stats()['n'].sum())\n"
        )
        # The other user has a home of its own.
        env = {**os.environ, "HOME": str(root.parent)}
        done = subprocess.run(
            [sys.executable, "-c", code, str(root)], capture_output=True, text=True, env=env
        )
        assert done.stdout.split() == ["True", "5"], done.stderr

    def test_place_that_is_no_folder(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(CutoutStoreError, match="cannot be made"):
            CutoutStore(tmp_path / "file" / "store")

    def test_nothing_to_read(self, tmp_path):
        with pytest.raises(CutoutStoreError, match="no store of cutouts"):
            CutoutStore(tmp_path, read_only=True)


def test_several_calls_make_a_store_at_once(tmp_path):
    """SQLite waits for other processes, but not while it turns to its write-ahead log."""
    barrier = threading.Barrier(6)

    def make(folder):
        barrier.wait(20)
        with CutoutStore(folder) as store:
            return len(store.stats())

    for turn in range(20):
        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(make, [tmp_path / str(turn)] * 6)) == [0] * 6


def test_store_travels_to_other_processes(filled, requests_):
    with pickle.loads(pickle.dumps(filled)) as other:
        assert other.lookup(requests_)[0].status == "ok"


@pytest.mark.parametrize("read_only", [True, False])
def test_a_store_that_travels_stays_as_it_is(filled, read_only):
    with CutoutStore(filled.root, read_only=read_only) as store, pickle.loads(pickle.dumps(store)) as other:
        assert (other.root, other.read_only) == (filled.root, read_only)


@pytest.mark.parametrize(
    "digest", ["../../outside", "/" + "a" * 63, "..", "A" * 64, "a" * 63, b"a" * 64, 12, "0\0" * 32]
)
def test_a_manifest_that_names_a_file_elsewhere_removes_nothing(filled, requests_, digest):
    outside = filled.root.parent / "outside.fits"
    outside.write_text("mine")
    with filled.manifest.transaction() as db:
        db.execute("UPDATE outcome SET digest = ? WHERE key = ?", (digest, requests_[0].key))
    known = filled.lookup(requests_[:1])[0]
    assert not known.final
    assert filled.name(requests_[0], known) == ""
    assert len(filled.verify(repair=True)) == 1
    assert outside.read_text() == "mine"
    assert len(filled.verify()) == 0
    assert filled.root.is_dir()


def test_a_store_that_is_dropped_or_fails_is_closed(filled, tmp_path):
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "manifest.sqlite").write_bytes(b"no database" * 100)
    code = """
import sys, warnings
warnings.simplefilter("error")
from galzoo_repr import CutoutStore
from galzoo_repr.encoders import EmbeddingStore
store, fixed = CutoutStore(sys.argv[1]), CutoutStore(sys.argv[1], read_only=True)
shelf = EmbeddingStore(sys.argv[2]).shelf("0" * 64, dim=3)
try:
    CutoutStore(sys.argv[2] + "/damaged")
except OSError:
    del store, fixed, shelf
"""
    command = [sys.executable, "-c", code, str(filled.root), str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (run.returncode, run.stderr) == (0, "")


def test_manifest_is_plain_sqlite(filled):
    with sqlite3.connect(filled.root / "manifest.sqlite") as db:
        rows = db.execute("SELECT ra, status, zero_fraction FROM outcome ORDER BY ra").fetchall()
    db.close()
    assert rows[0] == (10.0, "ok", 0.0)
