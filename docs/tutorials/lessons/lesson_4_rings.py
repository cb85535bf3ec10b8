"""
Rings from sixty labels
=======================

Which of your galaxies have rings, and how probably? You answer that for sixty of them, and a model answers it for the
rest. This lesson begins with the file ``galaxies.parquet`` of :doc:`lesson_1_columns`.
"""

# %%
# Sixty labels
# ------------
#
# Labels are a column: yes, no, or nothing where you have not looked. On the page ``galzoo-repr look`` you give them
# by the keys **y** and **n**. Here the first sixty galaxies get the answer that the simulation knows.

import numpy as np

import galzoo_repr as gzr
from galzoo_repr.catalogue import read_catalogue

galaxies = read_catalogue("galaxies.parquet")
is_ring = np.asarray(galaxies["true_kind"] == "ring")
galaxies["ring"] = np.where(np.arange(len(galaxies)) < 60, np.where(is_ring, "yes", "no"), "")
print(f"{(galaxies['ring'] == 'yes').sum()} yes, {(galaxies['ring'] == 'no').sum()} no")

# %%
# A model
# -------
#
# :func:`~galzoo_repr.finetuning.finetune` learns from them in seconds. Printing the model shows its report: how well
# it does on galaxies that were *held out*, each predicted by a model that had not seen it.

model = gzr.finetune(galaxies, "ring", progress=False)
print(model)

# %%
# Every figure has an interval, in which it is with 95 per cent. With sixty labels it is wide. The report is all
# that you would know of real galaxies.
#
# Every galaxy
# ------------
#
# :func:`~galzoo_repr.finetuning.add_predictions` gives each galaxy a probability; how much that would change if you
# had labelled other galaxies (``_std``); and how far the galaxy is from all that you labelled (``_unlike``).

galaxies = gzr.add_predictions(galaxies, model, progress=False)
for name in ("ring_probability", "ring_probability_std", "ring_unlike"):
    print(f"{name}: {galaxies[name].description}")

# %%
# The most probable rings among the galaxies that nobody labelled:

rest = galaxies[galaxies["ring"] == ""]
rest = rest[np.isfinite(rest["ring_probability"])]
rest.sort("ring_probability", reverse=True)
gzr.show(rest[:10], ["ring_probability", "ring_probability_std", "true_kind"], size=160)

# %%
# Was it right?
# -------------
#
# The simulation knows. The left panel is of the labelled galaxies, and you would have it of real ones, too: the share
# of galaxies that have a ring against the probability that was predicted for them. On the grey line the two are equal;
# bars are one standard error. The right panel is the truth about the galaxies without a label.

import matplotlib.pyplot as plt

true = np.asarray(rest["true_kind"] == "ring")
order = np.cumsum(true)
looked_at = np.arange(1, len(rest) + 1)
quarter = len(rest) // 4

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
gzr.plot.reliability(model, ax=left)
right.plot(looked_at, order, label="by probability")
right.plot([0, len(rest)], [0, true.sum()], "--", label="at random")
right.set(xlabel="galaxies looked at, the most probable first", ylabel="rings among them")
right.set_title(f"{order[quarter - 1]} of {true.sum()} rings are among the most probable quarter")
right.legend()

# %%
# The probabilities say how many rings to expect, too:

expected = rest["ring_probability"].sum()
print(f"expected {expected:.0f} rings among {len(rest)} galaxies; there are {true.sum()}")

# %%
# Which labels next?
# ------------------
#
# :func:`~galzoo_repr.finetuning.which_to_label` chooses galaxies whose labels would teach the model most.

gzr.show(gzr.which_to_label(galaxies, model, 5, progress=False), ["ring_probability", "true_kind"], size=160)

# %%
# At the shell::
#
#     galzoo-repr finetune labelled.parquet ring_model --label ring --plot reliability.png
#     galzoo-repr predict galaxies.parquet ring_model predicted.parquet
#
# If your labels are half rings and half not, but few galaxies of the catalogue have rings, tell it so:
# :ref:`class-balance`.
