"""Do galaxies that look like a ring galaxy have rings? On 235 real DECaLS galaxies, asked for by position.

The images of the folder ``decals_rings`` are served on this machine as the Legacy Survey viewer serves
pictures; a table of positions goes in, embeddings come back, and every ring galaxy is asked for in turn.
Precision at 10 is the share of rings among the ten galaxies most like it.

Usage: GALZOO_REAL_DATA=FOLDER python benchmarks/real_rings.py [--encoder bundled] [--montage rings.png]
"""

import argparse
import os
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import Table

import galzoo_repr as gzr
from galzoo_repr.images import comparison
from galzoo_repr.simulation import replay

PIXELS = 424  # side of the recorded images
# The field with which a client asks for so many native pixels; the recorded fields follow each galaxy's size.
FIELD = PIXELS * 0.262 * u.arcsec
NEIGHBOURS = 10


def embedded_galaxies(data: Path, scratch: Path, encoder: str) -> Table:
    """Unpack, serve, and embed by position, as one would with the survey itself."""
    with tarfile.open(data / "decals_rings.tar") as archive:
        archive.extractall(scratch, filter="data")
    table = Table.read(data / "decals_rings.csv")
    with replay(scratch, table).serve() as service:
        survey = gzr.LegacySurvey(server=service.url, image_format="jpeg")
        return gzr.add_embeddings(
            table["id", "ra", "dec", "label"],
            encoder=encoder,
            survey=survey,
            fov=FIELD,
            store=scratch / "cutouts",
            embedding_store=False,
        )


def precision_at_10(galaxies: Table, rows: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Share of rings among the ten galaxies most like each of some rows, and which these are."""
    is_ring = galaxies["label"] == "ring"
    best = []
    for row in rows:
        ranked = gzr.add_similarity(galaxies, int(row), n=NEIGHBOURS)
        order = np.argsort(ranked["similarity_rank"])
        best.append(order[ranked["similarity_rank"][order] > 0])
    return np.array([is_ring[found].mean() for found in best]), best


def main() -> None:
    """Print the figures, and draw the ring whose precision is the median."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", default="bundled", help="name or folder, as Encoder.load takes it")
    parser.add_argument("--montage", type=Path, help="picture to write")
    arguments = parser.parse_args()
    named = os.environ.get("GALZOO_REAL_DATA")
    if not named:
        parser.exit(2, "GALZOO_REAL_DATA does not name the folder of real galaxies\n")
    with tempfile.TemporaryDirectory() as scratch:
        started = time.perf_counter()
        galaxies = embedded_galaxies(Path(named), Path(scratch), arguments.encoder)
        seconds = time.perf_counter() - started
        usable = np.isfinite(galaxies["embedding"]).all(axis=1)
        rings = np.flatnonzero(usable & (galaxies["label"] == "ring"))
        precision, best = precision_at_10(galaxies, rings)
        error = precision.std(ddof=1) / np.sqrt(len(precision))
        chance = (len(rings) - 1) / (usable.sum() - 1)
        done = f"{usable.sum()} of {len(galaxies)} galaxies embedded in {seconds:.1f} s"
        found = f"{precision.mean():.3f} +- {error:.3f} over {len(rings)} ring queries"
        print(f"encoder {arguments.encoder}: {done}")
        print(f"precision at {NEIGHBOURS} of ring: {found}")
        print(f"by chance: {chance:.3f}")
        if arguments.montage:
            middle = np.argsort(precision, kind="stable")[len(precision) // 2]
            galaxies["name"] = galaxies["id"]
            galaxies["similarity"] = gzr.add_similarity(galaxies, int(rings[middle]))["similarity"]
            title = f"The galaxies most like {galaxies['id'][rings[middle]]} (a query of median precision)"
            comparison(galaxies, best[middle], rings[middle], kind="label", title=title).save(
                arguments.montage
            )


if __name__ == "__main__":
    main()
