"""
From positions to columns
=========================

You have a table of positions. At the end of this lesson the same table says what each galaxy looks like, and is a file
that the other lessons begin with.
"""

# %%
# A catalogue
# -----------
#
# Usually this is ``Table.read("galaxies.fits")``, or any other table with positions. Here the galaxies are
# simulated, so that the lesson needs no network and you can see in the end who was right: ``true_kind`` is what
# each of them is.

import galzoo_repr as gzr

kinds = {"smooth": 4, "disk": 2, "spiral": 4, "ring": 3, "edge_on": 1, "merger": 1.5, "irregular": 0.5}
sky = gzr.SimulatedSurvey(seed=4, mix=kinds)
galaxies = sky.catalogue(240)["name", "ra", "dec", "petro_th50", "mag_r", "true_kind"]
galaxies[:5]

# %%
# What each galaxy looks like
# ---------------------------
#
# :func:`~galzoo_repr.encoders.add_embeddings` fetches an image of each galaxy and has it described by an *encoder*,
# a neural network that has learned to answer the questions of Galaxy Zoo. ``petro_th50``, the radius that holds
# half of the light, tells it how wide a field to ask for.
#
# The simulated survey is asked through ``survey=``. For real galaxies leave that out, and the images come from the
# DESI Legacy Imaging Surveys.

with sky.serve() as service:
    survey = gzr.LegacySurvey(server=service.url)
    galaxies = gzr.add_embeddings(galaxies, survey=survey, progress=False)

galaxies.colnames

# %%
# Three columns are new. ``cutout`` is the file of the image, in a folder where it is kept; ``cutout_status`` says
# how the image came; ``embedding`` is the description: one row of numbers for each galaxy.

print(galaxies["embedding"].shape, galaxies["embedding"].dtype)

# %%
# Galaxies without an image
# -------------------------
#
# Real surveys have gaps and services fail. Such a galaxy keeps its row: its embedding is not a number (NaN), and
# its status says why.

from collections import Counter

print(Counter(galaxies["cutout_status"].tolist()))

# %%
# Look at some
# ------------
#
# :func:`~galzoo_repr.plot.show` shows galaxies with any columns under each.

gzr.show(galaxies[:8], ["true_kind", "mag_r"], size=160)

# %%
# All of them at once: a map
# --------------------------
#
# An embedding has 1280 numbers, which nobody can look at. :func:`~galzoo_repr.plot.add_map` finds two numbers for
# each galaxy so that galaxies that look alike are near each other. The encoder was not told the kinds, by which the
# map is coloured.

import matplotlib.pyplot as plt

mapped = gzr.add_map(galaxies)
figure, axes = plt.subplots(figsize=(7, 5), layout="constrained")
gzr.plot.map(mapped, colour="true_kind", ax=axes)
figure.suptitle(f"{len(mapped)} simulated galaxies, by what they look like")

# %%
# Keep it
# -------
#
# The columns have descriptions, and the table knows how they were made. All of that is in the file, too.

from galzoo_repr.catalogue import read_catalogue, write_catalogue

print(galaxies["embedding"].description)
write_catalogue(galaxies, "galaxies.parquet", overwrite=True)
read_catalogue("galaxies.parquet").meta["GZRENC"]

# %%
# At the shell, all of this lesson is one line::
#
#     galzoo-repr embed galaxies.fits galaxies.parquet
#
# Next: :doc:`lesson_2_more_like_this`.
