"""The two methods of Astronomaly, run by itself where it can be imported.

It is not on PyPI: install github.com/MichelleLochner/astronomaly with ``--no-deps``, and pandas. Without it the same
is computed here, from the descriptions in Lochner & Bassett (2021, Astronomy and Computing 36, 100481) and Lochner &
Rudnick (2025, AJ 169, arXiv:2411.04188), with the constants and scikit-learn models of its version 2.0. `RUN_BY` says
which.

One fault is mended: Astronomaly's page hands NeighbourScore the table of its own last scores, whose columns
predicted_user_score and trained_score it takes for features from the second round on. Here it gets what it documents:
features, the ratings, and the score of the isolation forest.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import ndtr
from sklearn.ensemble import IsolationForest, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern, WhiteKernel

try:
    import astronomaly
    from astronomaly.anomaly_detection.human_loop_learning import NeighbourScore, ScoreConverter
    from astronomaly.anomaly_detection.isolation_forest import IforestAlgorithm
    from astronomaly.anomaly_detection.protege import GaussianProcess
except ImportError:
    astronomaly = None

if TYPE_CHECKING:
    import pandas as pd

RUN_BY = f"Astronomaly {astronomaly.__version__}" if astronomaly else "a stand-in for Astronomaly"
LOWEST, HIGHEST = 0.1, 5.0
# Stages neither write nor look for what an earlier call has written.
OPTIONS = {"save_output": False, "force_rerun": True}


def isolation_scores(features: np.ndarray, seed: int) -> np.ndarray:
    """How unusual an isolation forest finds each galaxy, from 0 to 5, shape (n,)."""
    if astronomaly:
        with _quiet(seed):
            scores = ScoreConverter(**OPTIONS).run(IforestAlgorithm(**OPTIONS).run(_frame(features)))
        return scores["score"].to_numpy()
    forest = IsolationForest(n_estimators=200, bootstrap=True, random_state=seed).fit(features)
    unusual = -forest.decision_function(features)
    return HIGHEST * (unusual - unusual.min()) / np.ptp(unusual)


def neighbour_scores(features: np.ndarray, unusual: np.ndarray, ratings: np.ndarray, seed: int) -> np.ndarray:
    """
    Scores after some galaxies were rated, NaN for the others, shape (n,).

    A random forest learns the ratings U; the unsupervised score S then becomes S tanh(d - 1 + arctanh(u)), with
    u = 0.1 + 0.85 U / 5 and d = exp(distance to the nearest rated galaxy / mean of that distance).
    """
    if astronomaly:
        with _quiet(seed):
            result = NeighbourScore(**OPTIONS).run(_frame(features, ratings, score=unusual))
        return result["trained_score"].to_numpy()
    rated = np.isfinite(ratings)
    forest = RandomForestRegressor(n_estimators=200, random_state=seed).fit(features[rated], ratings[rated])
    user = LOWEST + 0.85 * np.clip(forest.predict(features), LOWEST, HIGHEST) / HIGHEST
    distance = cKDTree(features[rated]).query(features)[0]
    return unusual * np.tanh(np.exp(distance / distance.mean()) - 1 + np.arctanh(user))


def protege_scores(
    features: np.ndarray, ratings: np.ndarray, tradeoff: float
) -> tuple[np.ndarray, np.ndarray]:
    """Predicted ratings, and the acquisition (expected improvement) by which to rate next, each of shape (n,)."""
    with warnings.catch_warnings():
        # A parameter at the edge of its interval is common with few ratings.
        warnings.simplefilter("ignore", ConvergenceWarning)
        if astronomaly:
            with _quiet(0):
                frame = _frame(features, ratings)
                result = GaussianProcess(frame, ei_tradeoff=tradeoff, **OPTIONS).run(frame)
            return result["score"].to_numpy(), result["acquisition"].to_numpy()
        rated = np.isfinite(ratings)
        model = GaussianProcessRegressor(Matern() + WhiteKernel()).fit(features[rated], ratings[rated])
    mean, std = model.predict(features, return_std=True)
    gain = mean - ratings[rated].max() - tradeoff
    z = gain / std
    return mean, gain * ndtr(z) + std * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)


def _frame(features: np.ndarray, ratings: np.ndarray | None = None, **columns: np.ndarray) -> "pd.DataFrame":
    """Table as Astronomaly expects it: features, then human_label, which is -1 where there is no rating."""
    import pandas as pd

    frame = pd.DataFrame(features, columns=[str(number) for number in range(features.shape[1])])
    if ratings is not None:
        columns = {"human_label": np.nan_to_num(ratings, nan=-1.0)} | columns
    return frame.assign(**columns)


@contextmanager
def _quiet(seed: int) -> Iterator[None]:
    """Seed the global generator, which its forests draw from, and keep it from printing and from opening a log."""
    if not logging.getLogger().handlers:
        logging.getLogger().addHandler(logging.NullHandler())
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        with redirect_stdout(StringIO()):
            yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
