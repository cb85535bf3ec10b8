import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from astropy.table import QTable

import galzoo_repr as gzr
from galzoo_repr.anomaly import InterestModel, rate, read_ratings

OPTIONS = {"n": 5, "max_ratings": 22, "progress": False}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mine.ecsv"


@pytest.fixture
def oracle(truth):
    return lambda row: truth[row["row"]]


def history(path):
    table = read_ratings(path)
    return list(zip(table["round"].tolist(), table["row"].tolist(), table["rating"].tolist(), strict=True))


def test_the_loop_finds_what_the_oracle_likes(galaxies, truth, oracle, path):
    rated = rate(QTable(galaxies), oracle, path=path, max_ratings=60, progress=False)
    assert type(rated) is QTable
    known = np.isfinite(rated["interest"])
    assert known.sum() == 60
    assert np.array_equal(rated["interest"][known], truth[known])
    assert truth[known].mean() > 3 * truth.mean()
    assert "interest" not in galaxies.colnames
    assert rated.meta["galzoo_repr"]["rate"]["n_rated"] == 60


def test_a_loop_warns_once_of_ratings_it_cannot_learn_from_or_that_disagree(galaxies, oracle, truth, path):
    galaxies["interest"] = np.where(np.arange(400) < 60, truth, np.nan)
    galaxies["ben"] = np.where(np.arange(400) < 60, 5 - truth, np.nan)
    galaxies["embedding"][:9] = np.nan
    with pytest.warns(gzr.GalzooWarning) as seen:
        rate(galaxies, oracle, path=path, others=["ben"], max_ratings=100, progress=False)
    assert [str(each.message)[:30] for each in seen] == [
        "9 of 60 rated galaxies have no",
        "Raters who say the opposite of",
    ]
    assert {each.filename for each in seen} == {__file__}


def test_the_truth_may_be_a_column(galaxies, truth, oracle, tmp_path):
    galaxies["truth"] = truth
    by_column = rate(galaxies, "truth", path=tmp_path / "a.ecsv", **OPTIONS)
    by_call = rate(galaxies, oracle, path=tmp_path / "b.ecsv", **OPTIONS)
    assert np.array_equal(by_column["interest"], by_call["interest"], equal_nan=True)


def test_every_rating_is_on_disk_before_the_next_galaxy_is_shown(galaxies, truth, path):
    shown = []

    def oracle(row):
        assert read_ratings(path)["row"].tolist() == shown
        shown.append(row["row"])
        return truth[row["row"]]

    rate(galaxies, oracle, path=path, **OPTIONS)
    assert read_ratings(path)["rating"].tolist() == truth[shown].tolist()


def test_the_oracle_sees_the_galaxy_and_what_is_predicted(galaxies, path):
    seen = []

    def oracle(row):
        assert row["id"] == row["row"] + 1000
        seen.append(row["predicted_rating"])
        return 1.0 * (row["row"] % 5 == 0)

    rate(galaxies, oracle, path=path, **OPTIONS)
    assert np.isnan(seen[:5]).all()
    assert np.isfinite(seen[5:]).all()


@pytest.mark.parametrize("stop_at", [1, 3, 5, 6, 13])
def test_an_interrupted_loop_continues_exactly(galaxies, truth, oracle, tmp_path, stop_at):
    rate(galaxies, oracle, path=tmp_path / "whole.ecsv", **OPTIONS)
    calls = 0

    def interrupted(row):
        nonlocal calls
        calls += 1
        if calls == stop_at:
            raise KeyboardInterrupt
        return truth[row["row"]]

    with pytest.raises(KeyboardInterrupt):
        rate(galaxies, interrupted, path=tmp_path / "parts.ecsv", **OPTIONS)
    assert len(history(tmp_path / "parts.ecsv")) == stop_at - 1
    rate(galaxies, oracle, path=tmp_path / "parts.ecsv", **OPTIONS)
    assert history(tmp_path / "parts.ecsv") == history(tmp_path / "whole.ecsv")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
def test_no_rating_is_lost_when_the_process_is_killed(galaxies, truth, oracle, tmp_path):
    rate(galaxies, oracle, path=tmp_path / "whole.ecsv", **OPTIONS)
    np.savez(tmp_path / "input.npz", embedding=galaxies["embedding"], id=galaxies["id"], truth=truth)
    program = f"""
        import os, signal
        import numpy as np
        from astropy.table import Table
        from galzoo_repr.anomaly import rate
        data = np.load("input.npz")
        calls = 0
        def oracle(row):
            global calls
            calls += 1
            if calls == 9:
                os.kill(os.getpid(), signal.SIGKILL)
            return data["truth"][row["row"]]
        galaxies = Table({{"id": data["id"], "embedding": data["embedding"]}})
        rate(galaxies, oracle, path="killed.ecsv", **{OPTIONS!r})
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], cwd=tmp_path, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert history(tmp_path / "killed.ecsv") == history(tmp_path / "whole.ecsv")[:8]
    rate(galaxies, oracle, path=tmp_path / "killed.ecsv", **OPTIONS)
    assert history(tmp_path / "killed.ecsv") == history(tmp_path / "whole.ecsv")


def test_a_line_cut_short_by_a_crash_is_dropped_and_the_rest_kept(galaxies, oracle, path):
    rate(galaxies, oracle, path=path, n=5, max_ratings=7, progress=False)
    before = history(path)
    with path.open("a") as file:
        file.write("2,17")
    assert history(path) == before
    rate(galaxies, oracle, path=path, **OPTIONS)
    assert history(path)[:7] == before
    assert len(history(path)) == 22


def test_a_lost_plan_only_starts_the_next_round(galaxies, oracle, path):
    rate(galaxies, oracle, path=path, n=5, max_ratings=7, progress=False)
    plan = path.with_name("mine.ecsv.next")
    plan.write_text("{")
    rate(galaxies, oracle, path=path, **OPTIONS)
    assert len({row for _, row, _ in history(path)}) == 22
    plan.unlink()
    rate(galaxies, oracle, path=path, n=5, max_ratings=30, progress=False)
    assert len({row for _, row, _ in history(path)}) == 30


def test_two_loops_cannot_use_one_file(galaxies, path):
    def oracle(row):
        with pytest.raises(BlockingIOError, match=r"mine.ecsv is in use by another rating loop"):
            rate(galaxies, lambda row: 0.0, path=path, **OPTIONS)
        return 1.0

    rate(galaxies, oracle, path=path, n=2, max_ratings=2, progress=False)
    assert len(history(path)) == 2


def test_two_interests_keep_two_files_and_columns(galaxies, truth, tmp_path):
    both = rate(
        galaxies, lambda row: truth[row["row"]], path=tmp_path / "a.ecsv", ratings="mergers", **OPTIONS
    )
    both = rate(both, lambda row: 5 - truth[row["row"]], path=tmp_path / "b.ecsv", ratings="rings", **OPTIONS)
    both = gzr.add_anomaly_scores(both, "mergers", name="merger")
    both = gzr.add_anomaly_scores(both, "rings", name="ring")
    assert {"mergers", "rings", "merger_score", "ring_score"} <= set(both.colnames)
    with pytest.raises(
        ValueError, match=r"ratings of another interest, 'mergers', not 'rings': name that one"
    ):
        rate(galaxies, lambda row: 0.0, path=tmp_path / "a.ecsv", ratings="rings", **OPTIONS)


def test_the_file_belongs_to_one_catalogue(galaxies, oracle, path):
    rate(galaxies, oracle, path=path, **OPTIONS)
    with pytest.raises(ValueError, match=r"another catalogue .galaxies: 400, not 399"):
        rate(galaxies[1:], oracle, path=path, **OPTIONS)
    with pytest.raises(ValueError, match=r"another catalogue .embeddings"):
        rate(galaxies[::-1], oracle, path=path, **OPTIONS)
    for text in ("", str(path), f"{path}\n"):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"is not a file of ratings: (it has not one|ECSV header line)"):
            read_ratings(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"is not a file of ratings"):
        rate(galaxies, oracle, path=path, **OPTIONS)


def test_byte_order_and_precision_do_not_make_another_catalogue(galaxies, oracle, path):
    rate(galaxies, oracle, path=path, n=5, max_ratings=10, progress=False)
    galaxies["embedding"] = np.asarray(galaxies["embedding"]).astype(">f8")
    rate(galaxies, oracle, path=path, n=5, max_ratings=12, progress=False)
    assert len(history(path)) == 12


def test_a_galaxy_that_was_passed_is_not_shown_again(galaxies, path):
    shown = []

    def oracle(row):
        shown.append(row["row"])
        return [None, np.nan, 2.0, np.ma.masked, 0.0][len(shown) % 5]

    rated = rate(galaxies, oracle, path=path, n=5, max_ratings=8, progress=False)
    assert np.isfinite(rated["interest"]).sum() == 8
    assert len(shown) == len(set(shown)) > 15
    assert len(history(path)) == len(shown)


def test_ratings_of_the_catalogue_count_and_are_kept(rated, truth, oracle, path):
    more = rate(rated, oracle, path=path, n=5, max_ratings=90, progress=False)
    assert np.array_equal(more["interest"][:80], rated["interest"][:80])
    assert np.isfinite(more["interest"]).sum() == 90
    assert len(history(path)) == 10
    assert np.isnan(rated["interest"][80:]).all()


def test_stopping_rules(galaxies, oracle, path, tmp_path):
    def few(row):
        if len(history(path)) == 3:
            raise StopIteration
        return 1.0

    rate(galaxies, few, path=path, **OPTIONS)
    assert len(history(path)) == 3
    rate(galaxies, oracle, path=tmp_path / "b.ecsv", min_improvement=100, progress=False)
    assert len(history(tmp_path / "b.ecsv")) == 10
    galaxies["embedding"][4:] = np.nan
    rate(galaxies, oracle, path=tmp_path / "c.ecsv", progress=False)
    assert len(history(tmp_path / "c.ecsv")) == 4


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        ("wow", TypeError, "the function that rates returned 'wow'; a rating is a number, or None to pass"),
        (np.inf, ValueError, "the function that rates returned inf; a rating must be between 0 and 5"),
        (7, ValueError, "the function that rates returned 7; a rating must be between 0 and 5"),
        (1e16, ValueError, "the function that rates returned 1e.16; a rating must be between 0 and 5"),
    ],
)
def test_what_is_no_rating_is_refused_before_it_is_written(galaxies, path, answer, error, message):
    answers = iter([3.0, answer])
    with pytest.raises(error, match=message):
        rate(
            galaxies,
            lambda row: next(answers),
            path=path,
            model=InterestModel(rating_scale=(0, 5)),
            **OPTIONS,
        )
    assert [rating for *_, rating in history(path)] == [3.0]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"oracle": 5}, TypeError, "oracle must be a callable that takes a row, or a column's name, not 5"),
        ({"oracle": "truth"}, ValueError, "oracle='truth' is not a column"),
        ({"n": 0}, ValueError, "n must be a whole number from 1, not 0"),
        ({"n": "a"}, ValueError, "n must be a whole number from 1, not 'a'"),
        ({"max_ratings": -1}, ValueError, "max_ratings must be a whole number from 1, not -1"),
        ({"min_improvement": np.nan}, ValueError, "min_improvement must be a number from 0, not nan"),
        ({"seed": -1}, ValueError, "seed must be a whole number from 0, not -1"),
        ({"ratings": None}, TypeError, "ratings must be the name of the column to make, not NoneType"),
        ({"model": 5}, TypeError, "model=5 is no InterestModel"),
        ({"model": InterestModel(n_components="all")}, ValueError, "n_components must be a whole number"),
        ({"first": "worst"}, ValueError, "first='worst' is not one of"),
        ({"embedding": "vector"}, ValueError, "no column 'vector'"),
    ],
)
def test_bad_arguments_leave_no_file(galaxies, path, change, error, message):
    arguments = {"oracle": lambda row: 0.0, **OPTIONS, **change}
    with pytest.raises(error, match=message):
        rate(galaxies, path=path, **arguments)
    assert not path.exists()


def test_a_full_disk_is_reported(galaxies, oracle, path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, line: write(descriptor, line[:4]))
    with pytest.raises(OSError, match="is the disk full"):
        rate(galaxies, oracle, path=path, **OPTIONS)
    monkeypatch.undo()
    rate(galaxies, oracle, path=path, **OPTIONS)
    assert len(history(path)) == 22
