"""
An evening of rating
====================

Some galaxies interest you, and you could not say which in terms of magnitudes and radii; but you know one when you see
it. Rate some tens of galaxies, and every galaxy of the catalogue gets the rating that you would probably give it. This
lesson begins with the file ``galaxies.parquet`` of :doc:`lesson_1_columns`.
"""

# %%
# The page
# --------
#
# You rate on a page, by keys: **0** to **5**. In a notebook it is opened by ``gzr.look(galaxies)``, at the shell by ::
#
#     galzoo-repr look galaxies.parquet
#
# .. figure:: /images/page_rate.jpg
#    :alt: The page to rate: ten galaxies in a grid, beside them the prediction for one and what was found so far.
#
#    Ten galaxies to rate. Beside them stands what was learned so far. :doc:`/howto/page` describes all of it.
#
# Each answer is on the disk before the next galaxy is shown, so you can stop whenever you like and go on tomorrow.
#
# Somebody who rates
# ------------------
#
# This lesson must rate without you. :func:`~galzoo_repr.anomaly.rate` does what the page does, and asks a function
# instead of a person. The one here likes mergers (5), finds irregular galaxies worth a look (3), and is bored by
# all others (0).

import galzoo_repr as gzr
from galzoo_repr.catalogue import read_catalogue

galaxies = read_catalogue("galaxies.parquet")
taste = {"merger": 5, "irregular": 3}


def someone(galaxy):
    """Rate one galaxy, as a person would who likes mergers."""
    return taste.get(str(galaxy["true_kind"]), 0)


# %%
# Ten galaxies come at a time. The first are as different from each other as the catalogue has them; from then on
# the package shows those that are likely to be liked, or that would teach it most.

from pathlib import Path

Path("interest.ecsv").unlink(missing_ok=True)  # of an earlier evening
rated = gzr.rate(galaxies, someone, path="interest.ecsv", max_ratings=60, progress=False)

# %%
# What was she shown? The file of ratings says which galaxies came in which round.

import matplotlib.pyplot as plt
import numpy as np

from galzoo_repr.anomaly import read_ratings

given = read_ratings("interest.ecsv")
rounds = [np.asarray(given["rating"][given["round"] == number]) for number in np.unique(given["round"])]
mergers = np.cumsum([(ratings == 5).sum() for ratings in rounds])
seen = np.cumsum([len(ratings) for ratings in rounds])
in_all = int((galaxies["true_kind"] == "merger").sum())

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
axes.plot(seen, mergers, "o-", label="chosen by the package")
axes.plot([0, seen[-1]], [0, in_all * seen[-1] / len(galaxies)], "--", label="at random")
axes.set(xlabel="galaxies rated", ylabel="mergers found", ylim=(0, None))
axes.yaxis.get_major_locator().set_params(integer=True)
axes.set_title(f"{mergers[-1]} of {in_all} mergers after looking at {seen[-1]} of {len(galaxies)} galaxies")
axes.legend()

# %%
# A score for every galaxy
# ------------------------
#
# :func:`~galzoo_repr.anomaly.add_anomaly_scores` writes down what was learned. ``anomaly_score`` is the rating that
# is expected, ``anomaly_score_std`` how far that may be off, and ``anomaly_rank`` is 1 for the galaxy that promises
# most.

scored = gzr.add_anomaly_scores(rated)
scored.sort("anomaly_rank")
gzr.show(scored[scored["anomaly_rank"] > 0][:10], ["anomaly_score", "interest", "true_kind"], size=160)

# %%
# ``anomaly_unlike`` near 1 is a galaxy unlike *all* that were rated: a star, an artefact, or something new. Its
# score means little, and it is worth a look for that reason.
#
# When to stop
# ------------
#
# The page says how many interesting galaxies are expected among the next hundred. When that is less than one, go to
# bed.
#
# Next: :doc:`lesson_4_rings`.
