"""The standard deviation of a prediction: what fresh choices of labels disagree by, and never more than can be."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit

import galzoo_repr as gzr
from galzoo_repr.finetuning._calibration import Calibration
from galzoo_repr.finetuning._model import MorphologyModel
from galzoo_repr.finetuning._training_set import Lesson, _left_out_are_enough, learn
from galzoo_repr.finetuning._votes import fractions

QUESTION = gzr.Schema.from_dict(
    {"name": "disk", "questions": [{"name": "disk", "answers": ["yes", "no", "unsure"]}]}
)
CHOICES = 10


class Sky:
    """Galaxies of one kind of label, of which any number can be labelled; 200 are asked for predictions."""

    def __init__(self, kind: str) -> None:
        tasks = dict.fromkeys(("half", "fifth", "rare"), "binary") | {"rare class": "classes"}
        self.task = tasks.get(kind, kind)
        self.kind, self.schema = kind, QUESTION if kind == "votes" else None
        self.asked, _ = self.galaxies(200, np.random.default_rng(0))

    def galaxies(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Embeddings, shape (n, 40), and labels, shape (n, k)."""
        x = rng.normal(size=(n, 40)) / np.sqrt(1 + np.arange(40))
        noise = 0.5 if self.task in ("classes", "regression", "votes") else 1.5
        score = 2 * x[:, :2] + noise * rng.normal(size=(n, 2))
        if self.kind in ("half", "fifth", "rare"):
            least = {"half": 0.0, "fifth": 2.0, "rare": 4.0}[self.kind]
            return x, (score[:, :1] > least).astype(float)
        if self.kind == "several":
            return x, (score > [0.0, 1.0]).astype(float)
        if self.task == "classes":
            third = np.full(n, -2.2 if self.kind == "rare class" else 0)
            return x, np.eye(3)[np.column_stack([score, third]).argmax(1)]
        if self.kind == "votes":
            p = np.exp(np.column_stack([score, np.zeros(n)]))
            return x, rng.multinomial(20, p / p.sum(1, keepdims=True)).astype(float)
        return x, score[:, :1]

    def lesson(self, n: int, seed: int) -> Lesson:
        """So many labelled galaxies, two at least of each class."""
        rng = np.random.default_rng([seed, n])
        while True:
            x, y = self.galaxies(n, rng)
            counts = np.append(y.sum(0), n - y.sum(0))
            if self.task in ("regression", "votes") or counts.min() >= 2:
                return Lesson(x, y, np.arange(n), self.task, self.schema, seed=seed)

    def predictions(self, n: int, seed: int, members: int = 1) -> np.ndarray:
        """Of the first member and the others, shape (200, members, k)."""
        head, blend = learn(self.lesson(n, seed), members=members)
        predicted = blend.calibration.apply(head.scores(self.asked), self.task)
        return fractions(predicted, QUESTION) if self.task == "votes" else predicted

    def std_and_disagreement(self, n: int) -> tuple[float, float]:
        """Median standard deviation that models give, and median of that over models from fresh labels."""
        std = [self.predictions(n, seed, members=10)[:, 1:].std(1) for seed in range(3)]
        fresh = [self.predictions(n, seed)[:, 0] for seed in range(100, 100 + CHOICES)]
        return float(np.median(std)), float(np.median(np.std(fresh, axis=0, ddof=1)))


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("half", (20, 120)),
        ("fifth", (20, 120)),
        ("several", (20, 120)),
        ("classes", (20, 120)),
        ("regression", (20, 120)),
        ("votes", (20, 120)),
    ],
)
def test_it_is_what_fresh_choices_of_labels_disagree_by_and_falls_with_labels(kind, sizes):
    sky = Sky(kind)
    found = [sky.std_and_disagreement(n) for n in sizes]
    for std, disagreement in found:
        assert 0.6 < std / disagreement < 1.6  # 0.7 to 1.4, and what ten choices leave to chance
    assert found[-1][0] < found[0][0]


@pytest.mark.parametrize("n", [12, 40])
@pytest.mark.parametrize("kind", ["rare", "several", "classes", "votes"])
def test_no_standard_deviation_is_larger_than_its_mean_allows(kind, n):
    sky = Sky(kind)
    lesson = sky.lesson(n, 0)
    head, blend = learn(lesson, members=8)
    model = MorphologyModel(
        label="kind",
        task=sky.task,
        classes=tuple("abc"[: lesson.y.shape[1]]),
        head=head,
        calibration=blend.calibration,
        report=None,
        card={},
        schema=sky.schema,
    )
    found = model.predict(sky.asked)
    assert (found.std > 0).mean() > 0.9
    assert (found.std <= np.sqrt(found.value * (1 - found.value))).all()


def test_members_are_calibrated_one_by_one():
    """Where labels hardly tell, a calibration blows up small scores, but not what a sample has too many of."""
    lesson = Sky("half").lesson(120, 3)
    head, blend = learn(lesson, members=20)
    assert_allclose(blend.calibration.slope, 1)
    mean = expit(head.scores(lesson.x)[:, 1:, 0]).mean(0)
    assert np.std(mean) < 3 * np.sqrt(0.25 / 120)


def test_the_smallest_ensemble_has_a_spread(galaxies):
    std = np.asarray(
        gzr.add_predictions(galaxies, gzr.finetune(galaxies, "ring", members=2))["ring_probability_std"]
    )
    assert (std > 0).mean() > 0.9


def test_samples_without_a_rare_class_are_calibrated_like_the_whole():
    """Where three of sixty galaxies are of a class, one sample in five holds fewer than two of these."""
    sky = Sky("rare class")
    std, disagreement = sky.std_and_disagreement(60)
    assert std < 2 * disagreement


@pytest.mark.parametrize(
    ("task", "counts", "enough"),
    [
        ("binary", (50, 50), True),
        ("binary", (4000, 49), False),
        ("classes", (100, 100, 97, 3), True),
        ("classes", (4000, 100, 50, 49), False),
        ("regression", (4000,), False),
    ],
)
def test_galaxies_left_out_of_a_sample_judge_it_where_they_are_many(task, counts, enough):
    """Else every member is cross-validated, which takes several times as long."""
    kind = np.repeat(np.arange(len(counts)), counts)
    y = np.eye(len(counts))[kind] if task == "classes" else kind[:, None].astype(float)
    assert _left_out_are_enough(Lesson(y, y, np.arange(len(y)), task)) == enough


def test_a_model_with_a_calibration_of_its_own_predicts_as_ever(model, galaxies, tmp_path):
    """Earlier versions kept the calibration beside the head, which now contains it."""
    of_old = Calibration("platt", np.array([2.5]), np.array([-0.3]), np.zeros(1))
    replace(model, calibration=of_old).save(tmp_path)
    again = MorphologyModel.load(tmp_path)
    scores = model.head.scores(np.asarray(galaxies["embedding"]))[:, 0]
    assert_allclose(again.predict(galaxies["embedding"]).value, expit(2.5 * scores - 0.3), rtol=1e-4)
