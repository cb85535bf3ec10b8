"""Start, first embedding, stream of embeddings, exact search, a round of ratings."""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import import_time
import numpy as np

PICTURES = 64


class Start:
    """Core-seconds in a fresh interpreter."""

    params = ("import galzoo_repr", "galzoo-repr --help", "first embedding by the bundled encoder")
    param_names = ("what",)
    unit = "s"
    timeout = 300

    def track_core_seconds(self, what):
        """Median of some."""
        return float(np.median(import_time.seconds_of(import_time.STATEMENTS[what], repeats=3)))


class Embedding:
    """From files of JPEG to embeddings, by the bundled encoder on a CPU."""

    timeout = 300

    def setup(self):
        """Write the pictures."""
        import embedding
        from astropy.table import Table

        from galzoo_repr import Encoder

        self.folder = tempfile.TemporaryDirectory()
        files = embedding.write_images(Path(self.folder.name), PICTURES)["jpeg"]
        self.table, self.encoder = Table({"file_loc": files}), Encoder.load("bundled", device="cpu")
        self.time_64_pictures()

    def time_64_pictures(self):
        """All are embedded, none kept."""
        from galzoo_repr import add_embeddings

        add_embeddings(
            self.table, encoder=self.encoder, images="file_loc", embedding_store=False, progress=False
        )

    def teardown(self):
        """Remove the pictures."""
        self.folder.cleanup()


class Search:
    """Exact neighbours among 10^5 vectors of 64 dimensions."""

    params = (1, 1000)
    param_names = ("queries",)
    timeout = 300

    def setup(self, queries):
        """Build the index."""
        import similarity

        both = similarity.like(None, 100_000 + queries, 64, np.random.default_rng(0))
        self.method, self.queries = similarity.Ours("exact"), both[:queries]
        self.method.build(both[queries:])
        self.method.search(self.queries)

    def time_search(self, queries):
        """Ten of each."""
        self.method.search(self.queries)


class Round:
    """Ten more ratings of 10^5 galaxies: fit, score all, choose ten."""

    timeout = 300

    def track_seconds(self):
        """As the benchmark of the model of interest measures it."""
        import interest_model

        return interest_model.costs_of_a_round(100_000, repeats=3)["one round"].processor

    track_seconds.unit = "s"
