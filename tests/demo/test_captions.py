"""What the demonstration says: every number is that of the catalogue, and a bad result is called one."""

import html
import re
import warnings
from collections import Counter

import numpy as np
import pytest
from astropy.table import Table
from scipy.stats import hypergeom

import galzoo_repr as gzr
from galzoo_repr.catalogue import read_catalogue
from galzoo_repr.demo import Tally
from galzoo_repr.demo._columns import _most_marked, add_interest
from galzoo_repr.demo._findings import interesting, look_alikes
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.simulation import KINDS


def numbers(text: str) -> list[float]:
    """All numbers of a text but those in names of galaxies."""
    return [float(found) for found in re.findall(r"\d+(?:\.\d+)?", re.sub(r"SIM J\S+", "", text))]


def beside_chance(found: int, shown: int, pool: int, to_find: int) -> list[float]:
    """Numbers that the last sentences of a caption must have."""
    expected = [*([found] if found else []), shown, pool]
    if not to_find:
        return expected
    chance = shown * to_find / pool
    expected += [to_find, shown, pytest.approx(chance, rel=0.05)]
    luck = hypergeom.sf(found - 1, pool, to_find, shown)
    return expected + ([pytest.approx(100 * luck, abs=0.5)] if found > chance and luck >= 0.05 else [])


@pytest.fixture(scope="session")
def page(finished):
    """Heading, alternative text and caption of each section, and the cells of the summary."""
    _, out = finished
    text = (out / "index.html").read_text(encoding="utf-8")
    sections = re.findall(
        r'<section id="(\w+)">\s*<h2>(.*?)</h2>.*?alt="([^"]*)".*?<figcaption>(.*?)</figcaption>', text, re.S
    )
    table = text.split("<table>")[1].split("</table>")[0]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in table.split("<tr>")]
    return {name: [html.unescape(part) for part in parts] for name, *parts in sections}, [
        r for r in rows if r
    ]


def expected_of(catalogue: Table, name: str):
    """From the catalogue alone: rows shown, mask of those they were chosen from, kind, numbers before the result."""
    embedded = np.isfinite(catalogue["embedding"]).all(axis=1)
    rated = np.isfinite(catalogue["interest"])
    if name == "rated":
        rounds = np.asarray(catalogue["interest_round"])
        in_round = [
            (catalogue["true_kind"][rounds == i] == "merger").sum() for i in range(1, rounds.max() + 1)
        ]
        return np.flatnonzero(rated), embedded, "merger", [5, 3, 1, rated.sum(), embedded.sum(), *in_round]
    if name == "interesting":
        rows = [row for row in np.argsort(catalogue["anomaly_rank"]) if embedded[row] and not rated[row]][:10]
        score = [pytest.approx(catalogue["anomaly_score"][row], abs=0.006) for row in (rows[0], rows[-1])]
        return rows, embedded & ~rated, "merger", [10, (embedded & ~rated).sum(), rated.sum(), *score]
    if name == "probably_spiral":
        labelled = np.isfinite(catalogue["spiral"])
        order = np.argsort(-np.asarray(catalogue["spiral_probability"]), kind="stable")
        rows = [row for row in order if embedded[row] and not labelled[row]][:10]
        among = embedded & ~labelled
        ends = [pytest.approx(catalogue["spiral_probability"][row], abs=0.006) for row in (rows[0], rows[-1])]
        return rows, among, "spiral", [labelled.sum(), len(rows), among.sum(), *ends]
    kind = name.removeprefix("similar_")
    ranks = np.asarray(catalogue[f"similarity_{kind}_rank"])
    return np.flatnonzero((ranks > 0) & (ranks <= 10)), ranks > 0, kind, [10]


def test_captions_hold_the_numbers_of_the_catalogue(finished, page):
    _, out = finished
    catalogue = read_catalogue(out / "catalogue.parquet")
    sections, summary = page
    assert {"rated", "interesting", "probably_spiral"} < set(sections)
    assert set(sections) == {path.stem for path in out.glob("*.png")}
    for (name, (heading, alt, caption)), cells in zip(sections.items(), summary, strict=False):
        rows, pool, kind, before = expected_of(catalogue, name)
        kinds = np.asarray(catalogue["true_kind"])
        found, to_find = (kinds[rows] == kind).sum(), (kinds[pool] == kind).sum()
        result = (found, len(rows), pool.sum(), to_find)
        caption, _, _ = caption.partition(" The package warned: ")
        assert numbers(caption) == [*before, *beside_chance(*result)], name
        assert numbers(heading)[-2:] == [found, len(rows)][not found :], name
        counts = Counter(kinds[rows].tolist()).values()
        assert sorted(numbers(alt)[-len(counts) :]) == sorted(counts), name
        chance = pytest.approx(len(rows) * to_find / pool.sum(), rel=0.05)
        assert [float(cell) for cell in cells[2:]] == [len(rows), found, chance, to_find], name


@pytest.mark.parametrize(
    ("kinds", "pool", "to_find", "sentence"),
    [
        (
            {"merger": 9, "disk": 1}, 299, 35,
            "9 of these 10 are mergers (green frames); of the 299 that they were chosen from, 35 are, so 10 taken at "
            "random would have 1.2 on average.",
        ),
        (
            {"spiral": 8, "merger": 2}, 260, 15,
            "2 of these 10 are mergers (green frames); of the 260 that they were chosen from, 15 are, so 10 taken at "
            "random would have 0.58 on average. Chance alone gives as many in 11% of such draws.",
        ),
        (
            {"spiral": 9, "merger": 1}, 100, 10,
            "1 of these 10 is a merger (green frames); of the 100 that they were chosen from, 10 are, so 10 taken at "
            "random would have 1 on average. That is what chance gives.",
        ),
        (
            {"spiral": 10}, 40, 1,
            "None of these 10 is a merger; of the 40 that they were chosen from, 1 is, so 10 taken at random would "
            "have 0.25 on average. That is fewer than chance gives.",
        ),
        ({"spiral": 10}, 40, 0, "None of these 10 is a merger; of the 40 that they were chosen from, none is."),
    ],
)  # fmt: skip
def test_a_bad_result_is_called_one(kinds, pool, to_find, sentence):
    assert Tally("merger", kinds, pool, to_find).sentence == sentence


@pytest.mark.parametrize(
    ("found", "shown", "pool", "to_find"), [(0, 10, 40, 3), (2, 10, 260, 15), (5, 5, 9, 6)]
)
def test_luck_is_that_of_random_draws(found, shown, pool, to_find):
    kinds = {"merger": found, "disk": shown - found}
    luck = Tally("merger", kinds, pool, to_find).luck
    assert luck == pytest.approx(hypergeom.sf(found - 1, pool, to_find, shown))


@pytest.fixture
def catalogue():
    """60 galaxies, 12 of them mergers and none of these among the best, whose pictures are gone."""
    n = 60
    return Table(
        {
            "name": [f"G{i}" for i in range(n)],
            "ra": np.linspace(150, 151, n),
            "dec": np.zeros(n),
            "petro_th50": np.linspace(3, 8, n),
            "mag_r": np.linspace(17, 14, n),
            "true_kind": np.where(np.arange(n) % 5 == 4, "merger", "spiral"),
            "true_companion_ratio": np.linspace(1, 0.1, n),
            "true_tail_light": np.linspace(0.4, 0.1, n),
            "cutout": [""] * n,
            "embedding": np.random.default_rng(0).normal(size=(n, 5)),
        }
    )


def test_the_galaxy_asked_for_is_the_most_marked_of_the_large_and_bright(catalogue):
    row = _most_marked(catalogue, "merger")
    mergers = np.flatnonzero(catalogue["true_kind"] == "merger")
    assert row == mergers[6]  # the first half is more marked, and too small and faint to be seen well
    assert _most_marked(catalogue, "ring") is None


def test_failure_of_a_search_is_not_praised(catalogue):
    merger = np.asarray(catalogue["true_kind"] == "merger")
    catalogue["similarity_merger"] = 1.0 - merger
    ranks = np.argsort(np.argsort(merger, kind="stable")) + 1
    catalogue["similarity_merger_rank"] = np.where(np.arange(60) == 4, 0, ranks)
    catalogue["interest"] = np.where(np.arange(60) < 20, 1.0, np.nan)
    catalogue["anomaly_score"], catalogue["anomaly_rank"] = 1.0 - 0.5 * merger, ranks
    found = look_alikes(catalogue, "merger")
    assert found.heading == "Most like a merger: none of 10 is a merger"
    assert found.caption.endswith("That is fewer than chance gives.")
    assert found.alt.endswith("10 galaxies most like it: 10 spirals.")
    found = interesting(catalogue, ["Ratings are explained by noise."])
    assert found.heading == "Expected to interest her next: none of 10 is a merger"
    assert found.caption.endswith(
        "None of these 10 is a merger; of the 40 that they were chosen from, 8 are, so 10 taken at random would have "
        "2 on average. That is fewer than chance gives. The package warned: Ratings are explained by noise."
    )


def test_what_the_package_warned_of_is_told(catalogue, monkeypatch):
    scores = gzr.add_anomaly_scores

    def doubtful(table):
        warnings.warn("the ratings are explained by noise", GalzooWarning, stacklevel=2)
        return scores(table)

    monkeypatch.setattr(gzr, "add_anomaly_scores", doubtful)
    scored, warned = add_interest(catalogue)
    assert "the ratings are explained by noise" in warned
    assert np.isfinite(scored["interest"]).sum() == 10


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_nouns(kind):
    tally = Tally(kind, {kind: 1}, 2, 1)
    assert tally.listing.startswith("1 ")
    assert tally.headline.startswith(("1 of 1 is a ", "1 of 1 is an "))
