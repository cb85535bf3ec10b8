"""What is left of cutouts once they are encoded, and what is not read, fetched or computed again."""

import gc
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from PIL import Image

from galzoo_repr import Encoder, GalzooWarning, ImageRecipe, add_cutouts, add_embeddings, conf
from galzoo_repr.catalogue import read_catalogue, write_catalogue
from galzoo_repr.cutouts import CutoutStore
from galzoo_repr.encoders import EmbeddingStore


@pytest.fixture
def embed(encoder, survey, tmp_path):
    return partial(
        add_embeddings,
        encoder=encoder,
        survey=survey,
        store=tmp_path / "cutouts",
        embedding_store=tmp_path / "embeddings",
        progress=False,
    )


@pytest.fixture
def plain(galaxies, encoder, survey, tmp_path):
    """The embeddings as they are when everything is kept."""
    table = add_embeddings(
        galaxies,
        encoder=encoder,
        survey=survey,
        store=tmp_path / "plain",
        embedding_store=False,
        progress=False,
    )
    survey.asked.clear()
    return np.asarray(table["embedding"])


@pytest.fixture
def other(make_network):
    return Encoder(make_network(1), ImageRecipe(size=64, crop=0.7), name="other")


def bodies(tmp_path, ending="fits"):
    return list((tmp_path / "cutouts").glob(f"??/??/*.{ending}"))


class TestKeep:
    @pytest.mark.parametrize("keep", ["fits", "jpeg", "none"])
    def test_embeddings_are_the_same(self, embed, galaxies, plain, survey, tmp_path, keep):
        first = embed(galaxies, keep=keep)
        assert np.array_equal(first["embedding"], plain)
        assert set(first["cutout_status"]) == {"ok"}
        assert len(bodies(tmp_path)) == (5 if keep == "fits" else 0)
        assert len(bodies(tmp_path, "jpg")) == (5 if keep == "jpeg" else 0)
        there = [bool(path) and os.path.isfile(path) for path in first["cutout"]]
        assert there == [keep != "none"] * 6
        asked = len(survey.asked)
        for again in (embed(galaxies, keep=keep), embed(first, keep=keep, overwrite=True), embed(galaxies)):
            assert np.array_equal(again["embedding"], plain)
            assert list(again["cutout"]) == list(first["cutout"])
        again = embed(first, keep=keep, name="again")
        assert np.array_equal(again["again"], plain)
        assert len(survey.asked) == asked == 5

    @pytest.mark.parametrize("keep", ["jpeg", "none"])
    def test_another_encoder_sees_the_cutout_itself(self, embed, galaxies, survey, other, tmp_path, keep):
        first = embed(galaxies, keep=keep)
        with pytest.warns(GalzooWarning, match="not there any more.* fetched again.*keep='fits'"):
            second = embed(first, encoder=other, keep=keep, name="second")
        assert len(survey.asked) == 10
        whole = embed(galaxies, encoder=other, store=tmp_path / "whole", embedding_store=False)
        assert np.array_equal(second["second"], whole["embedding"])
        assert bodies(tmp_path) == []

    def test_what_is_wanted_for_good_is_fetched_again(self, embed, galaxies, survey, tmp_path):
        embed(galaxies, keep="none")
        table = add_cutouts(galaxies, survey=survey, store=tmp_path / "cutouts", progress=False)
        assert all(os.path.isfile(path) for path in table["cutout"])
        embed(galaxies, keep="none")
        assert len(bodies(tmp_path)) == 5

    def test_what_was_there_before_stays(self, embed, galaxies, tmp_path):
        embed(galaxies[:2])
        table = embed(galaxies, keep="none")
        assert len(bodies(tmp_path)) == 2
        assert [bool(path) for path in table["cutout"]] == [True, True, False, False, False, True]

    def test_cutouts_without_an_embedding_stay(self, embed, galaxies, survey, tmp_path):
        survey.missing_at = {20.0: 0.4}
        for _ in range(2):
            with pytest.warns(GalzooWarning, match="partial 1"):
                table = embed(galaxies, keep="none")
            assert os.path.isfile(table["cutout"][1])
            assert len(bodies(tmp_path)) == 1
        assert len(survey.asked) == 5

    def test_what_a_killed_run_left_goes(self, embed, galaxies, survey, tmp_path):
        """Fetched to pass, but not yet encoded: as after a kill between the two."""
        with CutoutStore(tmp_path / "cutouts", keep="none") as store:
            from galzoo_repr.cutouts import cutout_requests, fetch_into

            list(fetch_into(store, survey, cutout_requests(galaxies, survey)[0]))
        assert len(bodies(tmp_path)) == 5
        embed(galaxies, keep="none")
        assert bodies(tmp_path) == []
        assert len(survey.asked) == 5

    def test_for_good(self, embed, galaxies, tmp_path):
        with conf.set_temp("keep", "none"):
            embed(galaxies)
        assert bodies(tmp_path) == []

    def test_without_a_store_of_embeddings(self, embed, galaxies, survey, tmp_path):
        embed(galaxies, keep="none", embedding_store=False)
        assert bodies(tmp_path) == []
        with pytest.warns(GalzooWarning, match="fetched again"):
            embed(galaxies, keep="none", embedding_store=False)
        assert len(survey.asked) == 10

    def test_a_store_of_embeddings_that_was_lost(self, embed, galaxies, plain, tmp_path):
        embed(galaxies, keep="none")
        for path in (tmp_path / "embeddings").iterdir():
            path.unlink()
        with pytest.warns(GalzooWarning, match="fetched again"):
            assert np.array_equal(embed(galaxies, keep="none")["embedding"], plain)

    def test_what_cannot_be_kept(self, embed, galaxies, survey):
        with pytest.raises(ValueError, match="keep='png' is not one of 'fits', 'jpeg', 'none'"):
            embed(galaxies, keep="png")
        assert survey.asked == []


class TestRoom:
    @pytest.mark.filterwarnings("ignore:cutouts that were fetched before are not there")
    def test_files_that_go_before_they_are_read_are_fetched_again(
        self, embed, galaxies, plain, survey, encoder, monkeypatch
    ):
        """As when another process makes room meanwhile."""
        table = embed(galaxies, embedding_store=False)
        asked = len(survey.asked)
        original = type(encoder).embed
        gone = []

        def prune_once(self, images, **options):
            if not gone:
                gone.append([Path(path).unlink(missing_ok=True) for path in table["cutout"]])
            return original(self, images, **options)

        monkeypatch.setattr("galzoo_repr.encoders._stream._ROWS_PER_BATCH", 1)
        monkeypatch.setattr(type(encoder), "embed", prune_once)
        for start in (galaxies, table):
            again = embed(start, embedding_store=False, name="again")
            assert np.array_equal(again["again"], plain)
            assert set(again["cutout_status"]) == {"ok"}
            gone.clear()
        assert len(survey.asked) > asked

    @pytest.mark.parametrize("trouble", ["scale", "another survey", "no positions"])
    def test_files_of_a_table_that_go_are_fetched_as_they_were_or_not_at_all(
        self, embed, galaxies, survey, trouble, tmp_path
    ):
        """They are there when the call begins, and another process prunes them right after."""
        from galzoo_repr.encoders import _survey_pictures

        survey.zero_point = 25.0
        table = embed(galaxies, embedding_store=False)
        first = np.asarray(table["embedding"])
        options = {"embedding_store": False, "name": "again"}
        if trouble == "another survey":
            options["survey"] = type(survey)()
            options["survey"].layer = "another"
        elif trouble == "no positions":
            table.remove_columns(["ra", "dec"])
        original = _survey_pictures.SurveyPictures.pictures

        def pruned(self, *args, **options):
            for path in table["cutout"]:
                Path(path).unlink(missing_ok=True)
            return original(self, *args, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_survey_pictures.SurveyPictures, "pictures", pruned)
            if trouble == "scale":
                again = embed(table, **options)
                assert np.array_equal(again["again"], first)
                assert np.array_equal(again["cutout_flux_scale"], table["cutout_flux_scale"])
                return
            with (
                pytest.warns(GalzooWarning, match="6 cutouts went .* cannot be fetched again"),
                pytest.warns(GalzooWarning, match="6 of 6 rows have no embedding .missing 6"),
            ):
                again = embed(table, **options)
        assert np.isnan(again["again"]).all()

    def test_a_largest_size_holds_and_loses_nothing(self, embed, galaxies, plain, tmp_path):
        largest = 0.7 * sum(path.stat().st_size for path in (tmp_path / "plain").glob("??/??/*.fits"))
        with conf.set_temp("max_cache_size", f"{largest} B"):
            table = embed(galaxies)
            assert np.array_equal(table["embedding"], plain)
            left = bodies(tmp_path)
            assert 0 < sum(path.stat().st_size for path in left) <= largest
            assert {path for path in table["cutout"] if path} == {str(path) for path in left}
            assert np.array_equal(embed(galaxies)["embedding"], plain)


class TestFilesAreNotReadAgain:
    @pytest.fixture
    def files(self, tmp_path):
        rng = np.random.default_rng(0)
        paths = [tmp_path / f"{i}.png" for i in range(5)]
        for path in paths:
            Image.fromarray(rng.integers(0, 255, (80, 80, 3), dtype=np.uint8)).save(path)
            os.utime(path, (1e9, 1e9))
        return Table({"file_loc": [str(path) for path in paths]})

    @pytest.fixture
    def reads(self, monkeypatch):
        from galzoo_repr.images import _pictures

        names, original = [], _pictures.content_of

        def content_of(path):
            names.append(Path(path).name)
            return original(path)

        monkeypatch.setattr(_pictures, "content_of", content_of)
        return names

    @pytest.fixture
    def settled(self, monkeypatch):
        """Files of a test are younger than the time for which they are not trusted."""
        monkeypatch.setattr("galzoo_repr.encoders._file_keys._SETTLED_NS", 0)

    @pytest.mark.usefixtures("settled")
    def test_unchanged(self, embed, files, reads):
        first = embed(files, images="file_loc")
        reads.clear()
        again = embed(files, images="file_loc")
        assert reads == []
        assert np.array_equal(again["embedding"], first["embedding"])
        assert list(again["cutout"]) == list(files["file_loc"])

    @pytest.mark.usefixtures("settled")
    @pytest.mark.parametrize("how", ["rewritten", "replaced", "touched", "gone"])
    def test_changed(self, embed, files, reads, how, tmp_path):
        first = embed(files, images="file_loc")
        reads.clear()
        path = Path(files["file_loc"][2])
        state = path.stat()
        # Another picture of the same length.
        content = bytearray(path.read_bytes())
        if how == "rewritten":
            Image.fromarray(np.eye(80) > 0).convert("RGB").save(path)
            path.write_bytes(path.read_bytes().ljust(len(content), b"\0"))
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        elif how == "replaced":
            other = tmp_path / "other.png"
            other.write_bytes(
                Path(files["file_loc"][3]).read_bytes().ljust(len(content), b"\0")[: len(content)]
            )
            os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
            os.replace(other, path)
        elif how == "touched":
            os.utime(path)
        else:
            path.unlink()
        if how == "gone":
            with pytest.warns(GalzooWarning, match="missing 1"):
                again = embed(files, images="file_loc")
            assert not np.isfinite(again["embedding"][2]).any()
        else:
            again = embed(files, images="file_loc")
            assert reads[0] == "2.png"
            changed = not np.array_equal(again["embedding"][2], first["embedding"][2])
            assert changed == (how != "touched")
        rest = [0, 1, 3, 4]
        assert np.array_equal(again["embedding"][rest], first["embedding"][rest])
        assert set(reads) == {"2.png"}

    def test_just_written_files_are_not_trusted(self, embed, files, reads):
        embed(files, images="file_loc")
        reads.clear()
        embed(files, images="file_loc")
        assert len(reads) == 5

    @pytest.mark.usefixtures("settled")
    def test_files_that_say_they_are_of_the_future_are_not_trusted(self, embed, files, reads):
        later = time.time() + 3600
        os.utime(files["file_loc"][0], (later, later))
        embed(files, images="file_loc")
        reads.clear()
        embed(files, images="file_loc")
        assert reads == ["0.png"]

    @pytest.mark.usefixtures("settled")
    def test_read_again_where_asked_for(self, embed, files, reads, tmp_path):
        embed(files, images="file_loc")
        reads.clear()
        embed(
            files, images="file_loc", embedding_store=EmbeddingStore(tmp_path / "embeddings", read_again=True)
        )
        assert len(reads) == 5

    @pytest.mark.usefixtures("settled")
    def test_another_encoder_needs_the_pixels_but_the_key_is_checked(self, embed, files, reads, other):
        embed(files, images="file_loc")
        assert np.isfinite(embed(files, images="file_loc", encoder=other)["embedding"]).all()

    @pytest.mark.usefixtures("settled")
    def test_damaged_notes_cost_time_and_no_more(self, embed, files, reads, tmp_path):
        first = embed(files, images="file_loc")
        reads.clear()
        for name in ("files.sqlite-wal", "files.sqlite-shm"):
            (tmp_path / "embeddings" / name).unlink(missing_ok=True)
        (tmp_path / "embeddings" / "files.sqlite").write_bytes(b"no database, this. " * 1000)
        again = embed(files, images="file_loc")
        assert np.array_equal(again["embedding"], first["embedding"])
        assert len(reads) == 5


class TestLargeColumns:
    @pytest.fixture
    def mapped(self, tmp_path, monkeypatch):
        monkeypatch.setattr(conf, "mapped_above", 1e-6)
        monkeypatch.setattr(conf, "cache_dir", str(tmp_path / "cache"))
        return tmp_path / "cache" / "columns"

    def test_a_mapped_column_is_as_any(self, embed, galaxies, plain, mapped, survey, tmp_path):
        galaxies["dec"][1] = 85.0
        with pytest.warns(GalzooWarning, match="no_coverage 1"):
            table = embed(galaxies)
        column = table["embedding"]
        assert mapped.is_dir()
        rest = [0, 2, 3, 4, 5]
        assert np.array_equal(column[rest], plain[rest])
        assert np.isnan(column[1]).all()
        part, copied = table[2:4], table.copy()
        column[0] = 7.0
        assert np.array_equal(part["embedding"], plain[2:4])
        assert np.array_equal(copied["embedding"][0], plain[0])
        for ending in ("parquet", "fits", "ecsv"):
            write_catalogue(copied, tmp_path / f"table.{ending}")
            assert np.array_equal(
                read_catalogue(tmp_path / f"table.{ending}")["embedding"][rest], plain[rest]
            )

    def test_no_file_is_left(self, embed, galaxies, plain, mapped):
        table = embed(galaxies)
        part = table["embedding"][1:]
        del table
        gc.collect()
        assert np.array_equal(part, plain[1:])
        if os.name == "posix":
            assert list(mapped.iterdir()) == []

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
    def test_what_a_forked_process_writes_is_its_own(self, tmp_path):
        code = (
            "import os, numpy as np\n"
            "from galzoo_repr import conf\n"
            "from galzoo_repr.encoders._vectors import new_vectors, settled\n"
            f"conf.mapped_above, conf.cache_dir = 1e-9, {str(tmp_path)!r}\n"
            "vectors = new_vectors(3000, 4)\n"
            "vectors[1:] = 1.0\n"
            "column = settled(vectors)[1:]\n"
            "del vectors\n"
            "child = os.fork()\n"
            "if not child:\n"
            "    column[:] = 2.0\n"
            "    os._exit(not (column == 2.0).all())\n"
            "assert os.waitpid(child, 0)[1] == 0\n"
            "assert (column == 1.0).all()\n"
        )
        subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
        assert list((tmp_path / "columns").iterdir()) == []

    def test_without_room_for_the_file(self, embed, galaxies, plain, mapped):
        mapped.parent.mkdir()
        mapped.write_bytes(b"a file where the folder should be")
        with pytest.warns(GalzooWarning, match=r"stay in memory.*conf\.cache_dir"):
            table = embed(galaxies)
        assert np.array_equal(table["embedding"], plain)
