"""Compare the votes of simulated volunteers with those of Galaxy Zoo 2, question by question.

    GALZOO_REAL_DATA=... python benchmarks/volunteers.py

Simulated galaxies are drawn in about the mix of kinds that the real sample has by its ``gz2_class`` column,
and seen with the seeing and depth of SDSS.
"""

import os
from pathlib import Path

import numpy as np
import torch
from astropy.table import Table
from scipy.stats import ks_2samp

from galzoo_repr.questions import Schema, votes_from_fractions, votes_from_table
from galzoo_repr.simulation import draw_galaxies, light_columns, truth_columns, volunteer_votes

N_GALAXIES = 4000
FEWEST_VOTES = 8
MIX = {
    "smooth": 0.38, "edge_on": 0.22, "disk": 0.08, "spiral": 0.18, "ring": 0.03, "merger": 0.12,
    "irregular": 0.02, "artifact": 0.005, "lens": 0.005,
}  # fmt: skip
SDSS = {"seeing": 1.35, "depth": 4.0, "volunteers": (36, 49)}


def simulated_votes(schema: Schema) -> np.ndarray:
    """Votes on a simulated sample, shape (n, n_answers)."""
    galaxies = draw_galaxies(N_GALAXIES, torch.Generator().manual_seed(3), mix=MIX)
    table = Table(light_columns(galaxies) + truth_columns(galaxies))
    return votes_from_table(volunteer_votes(table, schema, **SDSS), schema)


def real_votes(schema: Schema) -> np.ndarray:
    """Votes of Galaxy Zoo 2, shape (n, n_answers)."""
    path = os.environ.get("GALZOO_REAL_DATA")
    if not path:
        raise SystemExit("Set GALZOO_REAL_DATA to the folder with gz2_votes.csv.")
    published = Table.read(Path(path) / "gz2_votes.csv")
    return votes_from_table(votes_from_fractions(published, schema, total="total_classifications"), schema)


def fractions_of(votes: np.ndarray, schema: Schema, question: int) -> np.ndarray:
    """Vote fractions of one question for the galaxies with enough votes on it, shape (m, n_answers)."""
    counts = votes[:, schema.question_index == question]
    counts = counts[counts.sum(axis=1) >= FEWEST_VOTES]
    return counts / counts.sum(axis=1, keepdims=True)


def comparison(schema: Schema) -> Table:
    """One row for each answer: how its fraction is distributed among real and simulated volunteers."""
    votes = {"real": real_votes(schema), "simulated": simulated_votes(schema)}
    rows = []
    for i, question in enumerate(schema.questions):
        shares = {who: fractions_of(each, schema, i) for who, each in votes.items()}
        for j, answer in enumerate(question.answers):
            row = {"question": question.name, "answer": answer}
            for who, share in shares.items():
                row[f"{who}_asked"] = len(share) / len(votes[who])
                row[f"{who}_mean"] = share[:, j].mean()
                for percentile in (10, 50, 90):
                    row[f"{who}_{percentile}"] = np.percentile(share[:, j], percentile)
            row["kolmogorov_smirnov"] = ks_2samp(*(share[:, j] for share in shares.values())).statistic
            rows.append(row)
    table = Table(rows=rows)
    for name in table.colnames[2:]:
        table[name].info.format = ".2f"
    return table


if __name__ == "__main__":
    result = comparison(Schema.load("gz2"))
    result.pprint_all()
    distance = result["kolmogorov_smirnov"]
    print(f"mean distance {distance.mean():.3f}, largest {distance.max():.3f}")
