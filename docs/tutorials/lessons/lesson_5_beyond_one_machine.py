"""
Beyond one machine
==================

A survey has 10\\ :sup:`8` galaxies, which no table in memory holds. This lesson does with a catalogue on disk, piece by
piece, what the lessons before did with a table. It begins with the file ``galaxies.parquet`` of
:doc:`lesson_1_columns`, and needs the extra ``hats`` (``pip install "galzoo_repr[hats]"``). Nobody needs a cluster to
try it.
"""

# %%
# A catalogue in pieces
# ---------------------
#
# `HATS <https://hats.readthedocs.io>`__ is how large surveys are published: Parquet files, one for each piece of the
# sky, which `LSDB <https://docs.lsdb.io>`__ and other programs read. The pieces here have a hundred galaxies at most,
# so that there are several; leave ``max_rows`` out for a real catalogue.

import shutil
from pathlib import Path

import galzoo_repr as gzr
from galzoo_repr.hats import from_hats, parts_of_job, to_hats

for folder in ("survey", "predicted"):
    shutil.rmtree(folder, ignore_errors=True)  # of an earlier run

to_hats("galaxies.parquet", "survey", max_rows=100)
print(len(list(Path("survey").rglob("Npix=*"))), "pieces")

# %%
# The same functions
# ------------------
#
# Wherever a function takes a table, it takes the name of such a folder, too.

best = gzr.find_similar("survey", "09h59m30.76s +01d45m39.2s", 5)
best["similarity"].info.format = ".3f"  # digits to show
best["similarity_rank", "name", "similarity", "true_kind"]

# %%
# These are the five that the table gives: each piece is asked for its best, and the answers are merged.

from galzoo_repr.catalogue import read_catalogue

galaxies = read_catalogue("galaxies.parquet")
of_table = gzr.find_similar(galaxies, "09h59m30.76s +01d45m39.2s", 5)
print(best["name"].tolist() == of_table["name"].tolist())

# %%
# What makes columns writes a new folder, ``out=``, with the old columns and the new ones. Here a model that is learned
# from sixty labels, as in :doc:`lesson_4_rings`.

import numpy as np

labels = np.where(galaxies["true_kind"] == "ring", "yes", "no")
labels[60:] = ""
galaxies["ring"] = labels
model = gzr.finetune(galaxies, "ring", progress=False)
gzr.add_predictions("survey", model, out="predicted", progress=False)
state = parts_of_job("predicted")
print(len(state.done), "pieces are done,", len(state.missing), "missing")

# %%
# Stop this in the middle, by Ctrl-C or by pulling the plug, and call it again: pieces that are done are not done again.
# :func:`~galzoo_repr.hats.parts_of_job`, and ``galzoo-repr parts predicted`` at the shell, say what is missing, and
# why.
#
# Back to a table
# ---------------
#
# Most questions need a part of the sky, or some columns:

table = from_hats("predicted", region=("10h00m00s +02d00m00s", "10 arcmin"))
table["ring_probability"].info.format = ".2f"
table["name", "ring_probability", "true_kind"]

# %%
# Many processes
# --------------
#
# On one machine with several processors, or on a cluster with Dask, ``client=`` hands the pieces to workers::
#
#     from dask.distributed import Client, LocalCluster
#
#     if __name__ == "__main__":
#         with Client(LocalCluster(n_workers=4, threads_per_worker=1)) as client:
#             gzr.add_embeddings("survey", out="embedded", client=client)
#
# Without Dask, an array of jobs does the same: each job takes its share by ``--part``, here as SLURM counts them::
#
#     galzoo-repr embed survey embedded --part $SLURM_ARRAY_TASK_ID/200 --max-rate 5 --quiet
#
# Whatever the number of processes, the service that sends the images is asked at one pace, ``--max-rate`` requests per
# second for all jobs together. For millions of galaxies read whole bricks instead (:doc:`/howto/gpu_and_slurm`).
