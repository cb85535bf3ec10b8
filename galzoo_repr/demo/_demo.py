"""The demonstration: a simulated survey, a catalogue of its galaxies, and what the package says of them."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from astropy.table import Column, Table
from PIL import Image

import galzoo_repr as gzr
from galzoo_repr._folder import publish
from galzoo_repr.catalogue import write_catalogue
from galzoo_repr.demo._columns import (
    QUERY_KINDS,
    add_interest,
    add_labels_and_predictions,
    add_similarities,
)
from galzoo_repr.demo._findings import Finding, interesting, look_alikes, predicted, rated, summary_of
from galzoo_repr.demo._page import demo_page
from galzoo_repr.images import pictures_of, read_pictures

__all__ = ["DemoResult", "run_demo"]

PICTURES = "pictures"  # folder of a small picture of each galaxy
ABOUT_PICTURES = "Small picture to look at; the embedding is of the cutout in full, which is not kept"
SIDE, QUALITY = 224, 80  # pixels on a side, and of the JPEG: some 12 kB
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
    findings : list of Finding
        What was asked for and found: pictures with their captions, in the order of the page.
    summary : astropy.table.Table
        For everything that was asked for, how many of the galaxies shown are of the true kind wanted, how many
        would be by chance, and how many there were to find.
    files : list of pathlib.Path
        What was written, and the folder of small pictures that the catalogue names.
    seconds : float
        How long it took.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr import SimulatedSurvey
    >>> from galzoo_repr.demo import DemoResult
    >>> summary = Table({"asked_for": ["like a spiral"], "shown": [10], "found": [7.0], "by_chance": [2.6]})
    >>> catalogue = SimulatedSurvey(seed=1).catalogue(20)
    >>> result = DemoResult(catalogue, findings=[], summary=summary, files=[], seconds=12.5)
    >>> [f"{row['found'] / row['by_chance']:.1f} times chance" for row in result.summary]
    ['2.7 times chance']
    """

    catalogue: Table
    findings: list[Finding]
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

    Everything is made in a hidden folder beside `out` and brought there when it is complete, so that an
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

    Examples
    --------
    >>> from galzoo_repr.demo import run_demo
    >>> result = run_demo("demo", n=20, progress=False)  # doctest: +SKIP
    >>> len(result.catalogue), "anomaly_score" in result.catalogue.colnames, result.files[-1].name  # doctest: +SKIP
    (20, True, 'index.html')
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
            catalogue, warned = _described_catalogue(network, n, seed, progress, say)
            say("drawing the galaxies")
            findings = _findings(catalogue, warned)
        summary = summary_of(findings, catalogue)
        say("writing the catalogue, the pictures and the page")
        _keep_pictures(catalogue, made / PICTURES)
        write_catalogue(catalogue, made / "catalogue.ecsv")
        write_catalogue(catalogue, made / "catalogue.parquet")
        # In files they are named from the folder, which can be moved; here, from wherever this runs.
        catalogue["file_loc"] = [name and str(out / name) for name in catalogue["file_loc"]]
        catalogue["file_loc"].description = ABOUT_PICTURES
        for finding in findings:
            finding.picture.save(made / f"{finding.name}.png")
        seconds = time.monotonic() - started
        facts = {
            "n": len(catalogue),
            "version": gzr.__version__,
            "date": datetime.now(UTC).strftime("%d %B %Y"),
            "seconds": f"{seconds:.0f}",
            "encoder": f"{network.name}, {network.dim} numbers for each galaxy ({network.digest[:12]})",
            "recipe": network.recipe.digest[:12],
        }
        (made / "index.html").write_text(demo_page(facts, findings, summary, catalogue), encoding="utf-8")
        return DemoResult(catalogue, findings, summary, _publish(made, out), time.monotonic() - started)


def _described_catalogue(
    encoder: gzr.Encoder, n: int, seed: int, progress: bool, say: Callable[[str], None]
) -> tuple[Table, list[str]]:
    """Simulate a catalogue and add all columns; also what the package warned of when it scored interest."""
    simulated = gzr.SimulatedSurvey(seed=seed, mix=MIX)
    catalogue = simulated.catalogue(n)
    with simulated.serve() as service:
        survey = gzr.LegacySurvey(server=service.url)
        say(f"fetching and embedding {n} galaxies from {service.url}")
        catalogue = gzr.add_embeddings(catalogue, encoder=encoder, survey=survey, progress=progress)
        say("comparing them with one of each kind, asked for by position")
        catalogue = add_similarities(catalogue, survey)
    say("learning what interests an imagined person from her ratings")
    catalogue, warned = add_interest(catalogue)
    for text in warned:
        say(text)
    say("learning what a spiral is from a few labels")
    return add_labels_and_predictions(catalogue), warned


def _findings(catalogue: Table, warned: list[str]) -> list[Finding]:
    """All that there is to show, in the order of the page; kinds that a small catalogue lacks are left out."""
    first, *others = (
        look_alikes(catalogue, kind) for kind in QUERY_KINDS if f"similarity_{kind}" in catalogue.colnames
    )
    return [first, rated(catalogue), interesting(catalogue, warned), predicted(catalogue), *others]


def _keep_pictures(catalogue: Table, made: Path) -> None:
    """Put small pictures instead of the cutouts, which go with the scratch folder, named from that of the catalogue."""
    made.mkdir()
    names = []
    cutouts = read_pictures(pictures_of(catalogue, "cutout"), size=SIDE)
    for row, pixels in enumerate(cutouts):
        names.append("" if pixels is None else f"{PICTURES}/{row:04d}.jpg")
        if pixels is not None:
            Image.fromarray(pixels).save(made / f"{row:04d}.jpg", quality=QUALITY)
    catalogue.remove_column("cutout")
    catalogue["file_loc"] = Column(names, description=ABOUT_PICTURES)


def _publish(made: Path, out: Path) -> list[Path]:
    """Bring complete files to their place, what names or links to others after these."""
    paths = sorted(made.iterdir(), key=lambda path: (path.is_file(), path.suffix == ".html", path.name))
    for path in paths:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            target = out / file.relative_to(made)
            target.parent.mkdir(parents=True, exist_ok=True)
            publish(target, file.read_bytes())
    return [out / path.name for path in paths]
