"""A model of one morphological feature: what it predicts, and how far that can be trusted."""

import os
from dataclasses import dataclass, field

import numpy as np

from galzoo_repr._arguments import check_path
from galzoo_repr._folder import pack_arrays
from galzoo_repr._hub import download
from galzoo_repr._published import Published
from galzoo_repr.catalogue import KnownGalaxies
from galzoo_repr.encoders import Encoder
from galzoo_repr.finetuning._calibration import Calibration
from galzoo_repr.finetuning._heads import Head
from galzoo_repr.finetuning._model_card import card_of
from galzoo_repr.finetuning._persistence import read_folder, write_folder
from galzoo_repr.finetuning._prediction import Prediction, predict_by
from galzoo_repr.finetuning._prior import (
    CATALOGUE,
    Balance,
    Prior,
    estimated_balance,
    stated_balance,
)
from galzoo_repr.finetuning._report import Report
from galzoo_repr.questions import Schema

__all__ = ["MorphologyModel"]

_HUB = "hf-hub:"
_ASKED_OF = {
    "binary": "yes or no",
    "classes": "which of {k} classes",
    "regression": "a number",
    "several": "{k} independent yes or no labels",
    "votes": "votes for {k} answers",
}


@dataclass(frozen=True)
class MorphologyModel(Published):
    """
    What `galzoo_repr.finetune` gives: a calibrated head on the embeddings of one encoder.

    Printing it shows what it was trained on and its report.

    Attributes
    ----------
    label : str
        Column, or columns, of its labels, or name of a schema.
    task : str
        ``"binary"``, ``"classes"``, ``"regression"``, ``"several"`` or ``"votes"``.
    classes : tuple of str
        Names of the k outputs; of a label of yes or no, what a yes is called.
    unit : str
        Of a regression, as text.
    schema : Schema or None
        Of votes.
    head : Head
        Linear maps.
    calibration : Calibration
        Of their scores.
    report : Report
        On held-out galaxies.
    card : dict
        Where it comes from, in JSON types: encoder and its digest, digest of the recipe and of the data,
        numbers of labels, options, versions.
    encoder : Encoder or None
        The encoder that was fine-tuned with the head; None where the head stands on a published one.
    known : KnownGalaxies or None
        The labelled galaxies, to tell what is unlike all of them; None in a model that an earlier version saved.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> import galzoo_repr as gzr
    >>> embedding = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
    >>> ring = np.where(np.arange(200) < 60, embedding[:, 0] > 0, np.nan)
    >>> model = gzr.finetune(Table({"embedding": embedding, "ring": ring}), "ring", members=2)
    >>> print(str(model).splitlines()[0])
    ring: yes or no, from 60 labelled images (27 yes, 33 no)
    >>> model.predict(embedding).value.shape
    (200, 1)
    >>> model.stem, model.balance.round(2).tolist(), model.digest
    ('ring', [0.45], '')
    """

    _kind = "A model of a feature of galaxies"
    _left = ("encoder-*/*",)

    label: str
    task: str
    classes: tuple[str, ...]
    head: Head
    calibration: Calibration
    report: Report
    card: dict
    unit: str = ""
    schema: Schema | None = None
    encoder: Encoder | None = field(default=None, compare=False)
    known: KnownGalaxies | None = field(default=None, compare=False)

    def __str__(self) -> str:
        about = self.card["encoder"]
        made_by = f"{about['name'] or 'an unknown encoder'}" + (
            f" ({about['digest'][:12]})" if about["digest"] else ""
        )
        counts = ", ".join(f"{n} {name}" for name, n in self.card["labels"].items())
        return (
            f"{self.label}: {self._asked}, from {self.card['n_labelled']} labelled images ({counts})\n"
            f"{'encoder fine-tuned from' if self.encoder else 'linear head on the embeddings of'} {made_by}, "
            f"{len(self.head.weights)} heads whose scatter is the standard deviation, calibration on held-out "
            f"labels: {self.calibration.method}{self._also_read()}\n{self._assumed()}{self.report}"
        )

    @property
    def stem(self) -> str:
        """Start of the names of prediction columns: the label, or the value that says what a yes is."""
        return "_".join(self.classes[0].split()) if self._named_by_values else self.label

    @property
    def _named_by_values(self) -> bool:
        return self.task == "binary" and self.classes[0] != self.label

    @property
    def _asked(self) -> str:
        if self._named_by_values:
            return f"{self.classes[0]} / not {self.classes[0]}"
        return _ASKED_OF[self.task].format(k=len(self.classes))

    def _assumed(self) -> str:
        if self.balance is None:
            return ""
        fractions = zip(self.classes, self.balance, strict=True)
        shares = ", ".join(f"{100 * fraction:.3g}% {name}" for name, fraction in fractions)
        return f"probabilities hold where as many are of each class as of these (else say prior=): {shares}\n"

    def _also_read(self) -> str:
        beside = self.card.get("beside", {})
        said = ", ".join(f"{name} (weight {of['weight']:g})" for name, of in beside.items())
        return f", reading also {said}" if said else ""

    def __repr__(self) -> str:
        return f"<MorphologyModel {self.label}: {self.task}, {self.card['n_labelled']} labels>"

    @property
    def digest(self) -> str:
        """SHA-256 of the encoder whose embeddings it reads; empty if unknown."""
        return self.card["encoder"]["digest"] if self.encoder is None else self.encoder.digest

    @property
    def balance(self) -> np.ndarray | None:
        """Fraction of each class among the labels, float64 of shape (k,); None where there are no classes."""
        if self.task in ("regression", "votes"):
            return None
        if "balance" in self.card:
            return np.array(self.card["balance"], float)
        # Saved by an earlier version, which tells how many labels there were of each class.
        counts = np.array([n for name, n in self.card["labels"].items()], float)
        return counts[:1] / counts.sum() if self.task == "binary" else counts / self.card["n_labelled"]

    def check_prior(self, prior: Prior) -> None:
        """
        Refuse a class balance that makes no sense, before anything is embedded or predicted for it.

        Parameters
        ----------
        prior : float, mapping, sequence, "catalogue" or None
            As for `galzoo_repr.add_predictions`.

        Raises
        ------
        ValueError
            If the model predicts no classes, or the fractions make no sense.
        TypeError
            If they are not of the form that the task asks for.

        Examples
        --------
        >>> import numpy as np
        >>> from astropy.table import Table
        >>> import galzoo_repr as gzr
        >>> embedding = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
        >>> ring = np.where(np.arange(200) < 60, embedding[:, 0] > 0, np.nan)
        >>> model = gzr.finetune(Table({"embedding": embedding, "ring": ring}), "ring", members=2)
        >>> model.check_prior(1.5)
        Traceback (most recent call last):
        ...
        ValueError: ...
        """
        if prior is None:
            return
        if self.balance is None:
            raise ValueError(
                f"prior is a class balance, but a model of {'votes' if self.task == 'votes' else 'numbers'} has no "
                "classes; leave prior out"
            )
        if not isinstance(prior, str):
            stated_balance(prior, self.classes, self.task, self.balance)
        elif prior != CATALOGUE:
            raise ValueError(f"prior={prior!r} is neither fractions nor {CATALOGUE!r}")

    def balance_for(self, prior: Prior, embeddings: np.ndarray) -> Balance | None:
        """
        Find the class balance of a catalogue: that which is stated, or that which its galaxies tell.

        Parameters
        ----------
        prior : float, mapping, sequence, "catalogue" or None
            As for `galzoo_repr.add_predictions`; None gives None.
        embeddings : ndarray
            Finite, shape (n, d), of unlabelled galaxies of the catalogue, for ``"catalogue"`` alone; 10,000 are
            enough.

        Returns
        -------
        Balance or None

        Raises
        ------
        ValueError, TypeError
            As `check_prior`.

        Warns
        -----
        GalzooWarning
            If a balance that was estimated is not to be relied on.

        Examples
        --------
        >>> import numpy as np
        >>> from astropy.table import Table
        >>> import galzoo_repr as gzr
        >>> embedding = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
        >>> ring = np.where(np.arange(200) < 60, embedding[:, 0] > 0, np.nan)
        >>> model = gzr.finetune(Table({"embedding": embedding, "ring": ring}), "ring", members=2)
        >>> model.balance_for(0.05, embedding).fractions
        array([0.05])
        """
        self.check_prior(prior)
        if prior is None:
            return None
        if not isinstance(prior, str):
            return stated_balance(prior, self.classes, self.task, self.balance)
        probability = self.calibration.apply(self.head.scores(self._checked(embeddings)), self.task)
        return estimated_balance(
            probability, self.balance, self.task, self.classes, labelled=self.card.get("n_labelled")
        )

    def predict(self, embeddings: np.ndarray, *, balance: Balance | None = None) -> Prediction:
        """
        Predict galaxies by their embeddings.

        Parameters
        ----------
        embeddings : ndarray
            Finite, shape (n, d), of the encoder that the model was trained on.
        balance : Balance, optional
            Class balance of the galaxies, as `balance_for` gives it, instead of that of the labels. Each member of
            the ensemble is corrected for it.

        Returns
        -------
        Prediction
            The value is that of the head fitted to all labels. The standard deviation is that of the heads
            learned from bootstrap samples of the labelled galaxies (bagging, Breiman 1996, *Machine Learning*
            24, 123), each regularised and calibrated by itself: how much the answer depends on which galaxies
            happened to be labelled. Of a probability p it is at most ``sqrt(p (1 - p))``. That of a regression
            contains the scatter of held-out galaxies too.

        Raises
        ------
        ValueError
            If embeddings have another shape.

        Examples
        --------
        >>> import numpy as np
        >>> from astropy.table import Table
        >>> import galzoo_repr as gzr
        >>> embedding = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
        >>> ring = np.where(np.arange(200) < 60, embedding[:, 0] > 0, np.nan)
        >>> model = gzr.finetune(Table({"embedding": embedding, "ring": ring}), "ring", members=2)
        >>> found = model.predict(embedding)
        >>> bool(np.mean((found.value[:, 0] > 0.5) == (embedding[:, 0] > 0)) > 0.8)
        True
        """
        shift = None if balance is None else (self.balance, balance.fractions)
        return predict_by(
            self.head, self.calibration, self._checked(embeddings), self.task, schema=self.schema, shift=shift
        )

    def _checked(self, embeddings: np.ndarray) -> np.ndarray:
        embeddings = np.asarray(embeddings)
        d = len(self.head.mean)
        if embeddings.ndim != 2 or embeddings.shape[1] != d:
            also = f"{self._also_read()}: add_predictions does so" if "beside" in self.card else ""
            raise ValueError(f"embeddings have shape {embeddings.shape}, but this model reads (n, {d}){also}")
        return embeddings

    def save(self, folder: str | os.PathLike, *, overwrite: bool = False) -> None:
        """
        Write the model to a folder, from which `load` reads it anywhere.

        Parameters
        ----------
        folder : str or os.PathLike
            Gets ``morphology.json`` and ``head.safetensors``, and if the encoder was fine-tuned a folder
            ``encoder-<digest>``. What replaces another model has a digest in the name of the head too.
        overwrite : bool
            Replace a model that is there.

        Raises
        ------
        FileExistsError
            If there is one and it may not be replaced.

        Examples
        --------
        >>> import numpy as np
        >>> from astropy.table import Table
        >>> import galzoo_repr as gzr
        >>> embedding = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
        >>> ring = np.where(np.arange(200) < 60, embedding[:, 0] > 0, np.nan)
        >>> model = gzr.finetune(Table({"embedding": embedding, "ring": ring}), "ring", members=2)
        >>> model.save("rings")
        >>> bool(np.all(gzr.MorphologyModel.load("rings").predict(embedding).value == model.predict(embedding).value))
        True
        """
        about = {
            "label": self.label,
            "task": self.task,
            "classes": list(self.classes),
            "unit": self.unit,
            "schema": self.schema and self.schema.to_dict(),
            "calibration": self.calibration.method,
            "report": self.report.to_dict(),
            "card": self.card,
            "fine_tuned": self.encoder is not None,
        }
        known = {} if self.known is None else {"known": self.known}
        arrays = pack_arrays(head=self.head, calibration=self.calibration, **known)
        write_folder(check_path(folder, "a model"), about, arrays, self.encoder, overwrite=overwrite)

    def _card(self, repository: str, licence: str) -> str:
        return card_of(self, repository, licence)

    @classmethod
    def load(cls, folder: str | os.PathLike, *, device: str | None = None) -> "MorphologyModel":
        """
        Read a saved model; nothing is unpickled.

        Parameters
        ----------
        folder : str or os.PathLike
            Folder written by `save`, or ``"hf-hub:owner/repository"`` of one that was published.
        device : str, optional
            Where a fine-tuned encoder computes; a GPU if there is one.

        Returns
        -------
        MorphologyModel

        Raises
        ------
        FileNotFoundError
            If there is no model.
        ValueError
            If it is of a later version, or its files have changed.
        astroquery.exceptions.RemoteServiceError
            If the hub cannot be reached.

        Examples
        --------
        >>> import numpy as np
        >>> from astropy.table import Table
        >>> import galzoo_repr as gzr
        >>> embedding = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
        >>> ring = np.where(np.arange(200) < 60, embedding[:, 0] > 0, np.nan)
        >>> model = gzr.finetune(Table({"embedding": embedding, "ring": ring}), "ring", members=2)
        >>> model.save("rings")
        >>> gzr.MorphologyModel.load("rings").stem
        'ring'
        """
        if str(folder).startswith(_HUB):
            folder = download(str(folder).removeprefix(_HUB))
        about, arrays, encoder = read_folder(check_path(folder, "a model"), device)
        return cls(
            label=about["label"],
            task=about["task"],
            classes=tuple(about["classes"]),
            head=Head(**arrays["head"]),
            calibration=Calibration(about["calibration"], **arrays["calibration"]),
            report=Report.from_dict(about["report"]),
            card=about["card"],
            unit=about["unit"],
            schema=about["schema"] and Schema.from_dict(about["schema"]),
            encoder=encoder,
            known=KnownGalaxies(**arrays["known"]) if "known" in arrays else None,
        )
