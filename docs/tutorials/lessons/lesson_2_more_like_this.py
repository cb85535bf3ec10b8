"""
More like this
==============

You have found one remarkable galaxy. Are there more of its kind? This lesson begins with the file
``galaxies.parquet`` of :doc:`lesson_1_columns`.
"""

# %%
# Point at one
# ------------
#
# By its position, as you would in a paper. This one is large and has a ring.

from astropy.coordinates import SkyCoord

import galzoo_repr as gzr
from galzoo_repr.catalogue import read_catalogue

galaxies = read_catalogue("galaxies.parquet")
favourite = SkyCoord("09h59m30.76s +01d45m39.2s")

# %%
# :func:`~galzoo_repr.similarity.find_similar` gives a table of the galaxies that look most like it.

best = gzr.find_similar(galaxies, favourite, n=10)
best["similarity"].info.format = ".3f"  # digits to show
best["separation"].info.format = ".0f"
best["similarity_rank", "name", "similarity", "separation", "true_kind"]

# %%
# ``similarity`` is at most 1, and higher is more alike (:doc:`/explanation/similarity_formula` says what it is).
# Compare values within one list only: 0.9 may be much in one catalogue and little in another. With
# ``include_query=True`` the galaxy itself stands first.

shown = gzr.find_similar(galaxies, favourite, n=9, include_query=True)
gzr.show(shown, ["similarity", "true_kind"], size=160)

# %%
# How good is that?
# -----------------
#
# Of real galaxies you would look at the pictures. Here it can be counted, and set beside what chance would give.

import numpy as np

rings = np.flatnonzero(galaxies["true_kind"] == "ring")
by_chance = 10 * len(rings) / len(galaxies)
print(
    f"{(best['true_kind'] == 'ring').sum()} of 10 have a ring; of 10 taken at random it would be {by_chance:.1f}."
)

# %%
# That was a good example. Each of the others gives a list, too, and not all are as good: a ring seen at a slant, or
# a faint one, looks like something else.

found = [(gzr.find_similar(galaxies, int(row), n=10)["true_kind"] == "ring").sum() for row in rings]
print(
    f"From each ringed galaxy: {np.mean(found):.1f} of 10 on average, {min(found)} at worst, {max(found)} at best."
)

# %%
# Several examples
# ----------------
#
# One picture has many properties: a ring, but also a colour, a size, a tilt. Several examples say what you mean by
# what they have in common. Examples of what you do *not* mean go into ``negatives``.

examples = list(galaxies["name"][rings[:4]])
others = list(galaxies["name"][galaxies["true_kind"] == "smooth"][:4])
better = gzr.find_similar(galaxies, examples, n=10, negatives=others)
found = int((better["true_kind"] == "ring").sum())
print(
    f"With {len(examples)} examples, and {len(others)} of what is not meant, {found} of {len(better)} are ringed."
)

# %%
# A column for all
# ----------------
#
# :func:`~galzoo_repr.similarity.add_similarity` compares every galaxy, and gives the catalogue two columns more.

import matplotlib.pyplot as plt

galaxies = gzr.add_similarity(galaxies, examples, negatives=others)
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
is_ring = np.asarray(galaxies["true_kind"] == "ring")
bins = np.linspace(np.nanmin(galaxies["similarity"]), np.nanmax(galaxies["similarity"]), 25)
axes.hist(galaxies["similarity"][~is_ring], bins, alpha=0.6, label=f"others ({(~is_ring).sum()})")
axes.hist(galaxies["similarity"][is_ring], bins, alpha=0.6, label=f"ringed ({is_ring.sum()})")
axes.set(xlabel="similarity to the examples", ylabel="number of galaxies")
axes.yaxis.get_major_locator().set_params(integer=True)
axes.legend()

# %%
# Ringed galaxies have higher similarities, but the two heaps overlap: similarity finds candidates. To say how
# probable it is that a galaxy has a ring, teach a model with labels: :doc:`lesson_4_rings`.
#
# At the shell::
#
#     galzoo-repr similar galaxies.parquet --to "09h59m30.76s +01d45m39.2s" -n 20 --montage alike.png
#
# Next: :doc:`lesson_3_rating`.
