"""The demonstration: a simulated survey, a catalogue of its galaxies, and what the package says of them."""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from astropy.table import Table
from PIL import Image

import galzoo_repr as gzr
from galzoo_repr.catalogue import sky_positions, write_catalogue
from galzoo_repr.cli._demo_page import demo_page
from galzoo_repr.cli._pictures import comparison
from galzoo_repr.images import ImageRecipe

__all__ = ["QUERY_KINDS", "DemoResult", "purity", "run_demo"]

QUERY_KINDS = ("ring", "edge_on", "spiral", "merger")
NEIGHBOURS = 10
# Kinds are more even than on the real sky, so that each has enough galaxies to find.
MIX = {
    "smooth": 0.22,
    "disk": 0.12,
    "spiral": 0.22,
    "ring": 0.12,
    "edge_on": 0.14,
    "merger": 0.12,
    "irregular": 0.06,
}


@dataclass(frozen=True)
class DemoResult:
    """
    What a demonstration found.

    Attributes
    ----------
    catalogue : astropy.table.Table
        The simulated galaxies with all columns.
    summary : astropy.table.Table
        For each galaxy that was asked for, and for all galaxies, the share of the same true kind among the
        ten most alike, and the share that chance would give.
    files : list of pathlib.Path
        What was written.
    seconds : float
        How long it took.
    """

    catalogue: Table
    summary: Table
    files: list[Path]
    seconds: float


def run_demo(
    out: Path,
    *,
    encoder: str = "bundled",
    n: int = 300,
    seed: int = 0,
    progress: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> DemoResult:
    """
    Simulate a survey, embed galaxies of it by their positions, and find those that look alike.

    Everything is made in a hidden folder beside `out` and moved there when it is complete, so that an
    interrupted run leaves nothing behind.

    Parameters
    ----------
    out : pathlib.Path
        Folder for the catalogue, the pictures and the page; made if need be.
    encoder : str, optional
        Name or folder, as `galzoo_repr.Encoder.load` takes it.
    n : int, optional
        Number of galaxies.
    seed : int, optional
        Seed of the simulated survey.
    progress : bool, optional
        Show progress bars.
    say : callable, optional
        Called with a line before each step.

    Returns
    -------
    DemoResult
    """
    started = time.monotonic()
    out = Path(out).absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
        made = Path(scratch) / "out"
        made.mkdir()
        with gzr.conf.set_temp("cache_dir", str(Path(scratch) / "cache")):
            say("loading the encoder")
            network = gzr.Encoder.load(encoder)
            catalogue = _described_catalogue(network, n, seed, progress, say)
            say("drawing the galaxies that look alike")
            sections = [_section(catalogue, row, kind) for kind, row in _queries(catalogue).items()]
        summary = _summary(catalogue)
        # The cutouts go with the scratch folder; a column that names them would point nowhere.
        catalogue.remove_column("cutout")
        say("writing the catalogue, the pictures and the page")
        write_catalogue(catalogue, made / "catalogue.ecsv")
        write_catalogue(catalogue, made / "catalogue.parquet")
        for heading, _, picture in sections:
            picture.save(made / f"{heading.split(':')[0].replace(' ', '_').lower()}.png")
        seconds = time.monotonic() - started
        facts = {
            "n": len(catalogue),
            "version": gzr.__version__,
            "date": datetime.now(UTC).strftime("%d %B %Y"),
            "seconds": f"{seconds:.0f}",
            "encoder": f"{network.name}, {network.dim} numbers for each galaxy ({network.digest[:12]})",
            "recipe": network.recipe.digest[:12],
        }
        (made / "index.html").write_text(demo_page(facts, summary, sections, catalogue), encoding="utf-8")
        return DemoResult(catalogue, summary, _publish(made, out), time.monotonic() - started)


def _described_catalogue(
    encoder: gzr.Encoder, n: int, seed: int, progress: bool, say: Callable[[str], None]
) -> Table:
    """Simulate a catalogue and add all columns, asking the survey over the loopback interface."""
    simulated = gzr.SimulatedSurvey(seed=seed, mix=MIX)
    catalogue = simulated.catalogue(n)
    with simulated.serve() as service:
        survey = gzr.LegacySurvey(server=service.url)
        say(f"fetching and embedding {n} galaxies from {service.url}")
        catalogue = gzr.add_embeddings(catalogue, encoder=encoder, survey=survey, progress=progress)
        say("comparing them with one of each kind, asked for by position")
        for kind, row in _queries(catalogue).items():
            position = sky_positions(catalogue).skycoord[row]
            catalogue = gzr.add_similarity(catalogue, position, name=f"similarity_{kind}", survey=survey)
    return catalogue


def _queries(catalogue: Table) -> dict[str, int]:
    """Row of the brightest galaxy of each kind that has an embedding."""
    usable = np.isfinite(np.asarray(catalogue["embedding"])).all(axis=1)
    found = {kind: np.flatnonzero(usable & (catalogue["true_kind"] == kind)) for kind in QUERY_KINDS}
    return {kind: int(rows[np.argmin(catalogue["mag_r"][rows])]) for kind, rows in found.items() if len(rows)}


def _most_alike(catalogue: Table, kind: str) -> np.ndarray:
    """Rows of the galaxies most like the one asked for, the best first."""
    ranks = np.asarray(catalogue[f"similarity_{kind}_rank"])
    order = np.argsort(ranks, kind="stable")
    return order[ranks[order] > 0][:NEIGHBOURS]


def _section(catalogue: Table, row: int, kind: str) -> tuple[str, str, Image.Image]:
    name, best = catalogue["name"][row], _most_alike(catalogue, kind)
    same = int((catalogue["true_kind"][best] == kind).sum())
    words = kind.replace("_", "-")
    heading = f"{words.capitalize()}: {name}"
    text = f"Of the {len(best)} galaxies most like this one, {same} are of the same kind."
    picture = comparison(
        catalogue,
        row,
        best,
        similarity=f"similarity_{kind}",
        kind="true_kind",
        fov=ImageRecipe().fields_of_view(catalogue),
        title=f"{len(best)} galaxies that look most like {name}",
    )
    return heading, text, picture


def _summary(catalogue: Table) -> Table:
    """Share of the same true kind among the most alike: for each query, and for every galaxy as one."""
    kinds = np.asarray(catalogue["true_kind"])
    usable = np.isfinite(np.asarray(catalogue["embedding"])).all(axis=1)
    rows = []
    for kind, row in _queries(catalogue).items():
        best = _most_alike(catalogue, kind)
        others = usable & (np.arange(len(kinds)) != row)
        rows.append(
            (catalogue["name"][row], kind, (kinds[best] == kind).mean(), (kinds[others] == kind).mean())
        )
    rows.append(
        (
            f"all {usable.sum()} galaxies",
            "each its own",
            *purity(catalogue["embedding"][usable], kinds[usable]),
        )
    )
    summary = Table(rows=rows, names=["galaxy", "true_kind", "same_kind_in_top_10", "by_chance"])
    for name in summary.colnames[2:]:
        summary[name].info.format = ".2f"
    return summary


def purity(embeddings: np.ndarray, kinds: np.ndarray, n: int = NEIGHBOURS) -> tuple[float, float]:
    """
    Share of the same kind among the most alike, each galaxy being asked for in turn.

    Parameters
    ----------
    embeddings : numpy.ndarray
        Finite, shape (m, d).
    kinds : numpy.ndarray
        True class, shape (m,).
    n : int, optional
        How many of the most alike (by cosine) to look at.

    Returns
    -------
    found, chance : float
        Mean over galaxies, and its expectation if the order were random.

    Examples
    --------
    >>> import numpy as np
    >>> purity(np.eye(4)[[0, 0, 1, 1]], np.array(["a", "a", "b", "b"]), n=1)
    (1.0, 0.3333333333333333)
    """
    from sklearn.neighbors import NearestNeighbors

    neighbours = (
        NearestNeighbors(n_neighbors=n, metric="cosine").fit(embeddings).kneighbors(return_distance=False)
    )
    _, index, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    chance = (counts[index] - 1) / (len(kinds) - 1)
    return float((kinds[neighbours] == kinds[:, None]).mean()), float(chance.mean())


def _publish(made: Path, out: Path) -> list[Path]:
    """Move complete files to their place, the page that links to them last."""
    out.mkdir(exist_ok=True)
    paths = sorted(made.iterdir(), key=lambda path: (path.suffix == ".html", path.name))
    for path in paths:
        os.replace(path, out / path.name)
    return [out / path.name for path in paths]
