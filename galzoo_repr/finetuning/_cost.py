"""What an encoder costs on the CPUs of this machine."""

import time
from copy import deepcopy

import numpy as np

from galzoo_repr.encoders import Encoder

__all__ = ["milliseconds_per_image"]

_IMAGES, _ROUNDS = 8, 5


def milliseconds_per_image(encoder: Encoder) -> tuple[float, float]:
    """
    Time the passes of an encoder on CPUs, without reading or fetching images.

    Mean of some rounds in milliseconds of CPU time per image, all threads together, and its standard error: other work
    on the machine changes that little, unlike the time that passes. A network that is elsewhere is copied.
    """
    if encoder.device != "cpu":
        encoder = deepcopy(encoder).to("cpu")
    recipe = encoder.recipe
    shape = (_IMAGES, recipe.channels, recipe.size, recipe.size)
    images = np.random.default_rng(0).random(shape, dtype=np.float32)
    encoder.embed(images)  # the first pass reserves memory
    times = []
    for _ in range(_ROUNDS):
        start = time.process_time()
        encoder.embed(images)
        times.append(1e3 * (time.process_time() - start) / _IMAGES)
    return float(np.mean(times)), float(np.std(times, ddof=1) / _ROUNDS**0.5)
