"""From a table of votes and images to an encoder."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from galzoo_repr.encoders import Encoder
from galzoo_repr.images import ImageRecipe, Pictures, pictures_of
from galzoo_repr.pretraining._inputs import held_out_rows, identity_of_images, sampling_weights
from galzoo_repr.pretraining._plan import Plan, Subject
from galzoo_repr.questions import Schema, votes_from_table

if TYPE_CHECKING:
    import torch

    from galzoo_repr.training import Augmentation

__all__ = ["pretrain"]


def pretrain(
    table: Table,
    *,
    schema: str | os.PathLike | Mapping | Schema | Sequence = "gz_decals_dr5",
    architecture: str = "mobilenetv4_conv_small_050",
    images: "Pictures | Callable[[np.ndarray, torch.device], torch.Tensor]" = "file_loc",
    recipe: ImageRecipe | None = None,
    epochs: int = 30,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.05,
    warmup: float = 0.05,
    dropout: float = 0.2,
    ema_decay: float = 0.999,
    augmentation: "Augmentation | None" = None,
    consistency: float = 0.0,
    validation_fraction: float = 0.1,
    validation: str | None = None,
    sampling_weight: str | None = None,
    epoch_size: int | None = None,
    patience: int = 10,
    seed: int = 0,
    start: Encoder | None = None,
    pretrained: bool = False,
    output: str | os.PathLike | None = None,
    resume: bool = True,
    image_cache: str | os.PathLike | None = None,
    after_epoch: Callable[[dict, Encoder], None] | None = None,
    name: str = "pretrained",
    licence: str = "",
    device: "str | torch.device | None" = None,
    workers: int | None = None,
    progress: bool = True,
) -> Encoder:
    """
    Train an encoder to answer every question of a schema at once.

    The network learns to predict how volunteers' votes on all questions are distributed (Walmsley et al.
    2022, MNRAS 513, 1581, section 2): its embedding then serves for tasks that it has never seen. Votes of
    several surveys mix in one table; a question that was not asked about a galaxy (NaN, masked or no votes)
    teaches nothing about it.

    Parameters
    ----------
    table : astropy.table.Table
        Vote counts in the columns ``Schema.columns``, and the images' paths.
    schema : str, path, mapping, Schema or list of these
        Questions, as for `Schema.load`; several are joined.
    architecture : str
        Any timm model.
    images : str, sequence, ndarray, torch.Tensor or callable
        Column of FITS, JPEG or PNG files (``"cutout"`` after `galzoo_repr.add_cutouts`) or of pictures; n files,
        images of Pillow, arrays or tensors; or all pictures in one, such as (n, 3, h, w), (n, h, w, 3) or
        (n, h, w), uint8 or floating point in 0 to 1. Or a function that makes them from row numbers and a
        device, uint8 or floating point of shape (b, 3, h, w) with h and w of about ``size / crop`` of the
        recipe, for more images than can be stored. All others are decoded once to 8 bits at the resolution of
        training.
    recipe : ImageRecipe, optional
        What the network sees, and what the encoder will ask for. By default 128 pixels over the central
        three quarters of the Galaxy Zoo DECaLS field of view: a margin from which turned and shifted views
        are cut.
    epochs : int
        Times that all images are shown.
    batch_size : int
        Images in a step, of all processes together.
    learning_rate, weight_decay, warmup : float
        Of AdamW; the rate rises over the fraction `warmup` of all steps, then falls along a cosine.
    dropout : float
        Probability with which parts of the embedding are hidden from the questions.
    ema_decay : float
        The encoder's weights are a moving average over about 1 / (1 - ema_decay) steps, fewer at the start.
    augmentation : Augmentation, optional
        How views of the same galaxy differ.
    consistency : float
        Weight of a term that asks for like embeddings of two views of a galaxy (VICReg). Above zero, images
        without any vote take part.
    validation_fraction : float
        Fraction of the galaxies with votes that is held out; zero for none.
    validation : str, optional
        Boolean column of the rows to hold out, instead of a random choice.
    sampling_weight : str, optional
        Column that says how often to show each image in relation to the others; rows are then drawn with
        replacement.
    epoch_size : int, optional
        Images in an epoch, by default all training images.
    patience : int
        Epochs without improvement of the validation loss after which training stops.
    seed : int
        Everything random follows from it: the same call on the same machine gives the same weights.
    start : Encoder, optional
        Start from its weights, and by default its recipe, instead of random ones; overrides `architecture`.
    pretrained : bool
        Start from the weights that timm has for the architecture, which are downloaded.
    output : str or path, optional
        Folder of the run: state after each epoch, and at the end the encoder, which `Encoder.load` reads.
        Without it nothing is kept but the encoder that is returned.
    resume : bool
        Continue a run in `output` from its last complete epoch; otherwise start again.
    image_cache : str or path, optional
        Folder that keeps decoded images for later runs. By default they are in `output` until training ends.
    after_epoch : callable, optional
        Called after each epoch with its figures (a dictionary: ``epoch``, ``training_loss``,
        ``validation_loss``, ``questions``) and the encoder as it is then, to try it on other tasks.
    name, licence : str
        Of the encoder.
    device : str or torch.device, optional
        By default a GPU if there is one. On a GPU the network runs in bfloat16.
    workers : int, optional
        Threads that decode images; by default one for each core.
    progress : bool
        Show progress bars.

    Returns
    -------
    Encoder
        With the weights of the epoch with the lowest validation loss. Its ``card`` says what it was trained
        on and how well it answers each question.

    Raises
    ------
    ValueError
        If votes or images are missing or teach nothing, the schema does not match, an argument is out of
        range, or `output` holds another run. All of this is checked before training.
    TypeError
        If an argument has the wrong type.
    RuntimeError
        If the training diverges.

    Warns
    -----
    GalzooWarning
        If images cannot be read, which are left out, or votes look like fractions.

    Notes
    -----
    ``torchrun --nproc-per-node=4 script.py`` trains on four GPUs: each process calls `pretrain` with the
    same arguments.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from galzoo_repr import ImageRecipe, pretrain
    >>> rng = np.random.default_rng(0)
    >>> table = Table({"ring_yes": rng.integers(0, 9, 12), "ring_no": rng.integers(0, 9, 12)})
    >>> encoder = pretrain(
    ...     table,
    ...     schema="gz_rings",
    ...     architecture="lcnet_035",
    ...     images=rng.random((12, 3, 32, 32)),
    ...     recipe=ImageRecipe(size=32),
    ...     epochs=1,
    ...     progress=False,
    ... )
    >>> encoder.card["training"]["galaxies"]
    11
    """
    schema, recipe = Schema.load(schema), _checked_recipe(recipe, start)
    if not isinstance(table, Table):
        raise TypeError(f"pretrain takes an astropy Table of votes and images, not {type(table).__name__}")
    votes = votes_from_table(table, schema)
    source = images if callable(images) else pictures_of(table, images)
    held_out = held_out_rows(
        table, votes.any(axis=1), column=validation, fraction=validation_fraction, seed=seed
    )
    weights = sampling_weights(table, sampling_weight)
    plan = Plan(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        warmup=warmup,
        dropout=dropout,
        ema_decay=ema_decay,
        consistency=consistency,
        patience=patience,
        seed=seed,
        epoch_size=epoch_size,
        augmentation=augmentation,
    )
    # Only now what takes seconds to be imported.
    from galzoo_repr.pretraining._run import run

    return run(
        Subject(schema, recipe, plan, votes, source, held_out, weights, identity_of_images(images, source)),
        start=start,
        architecture=architecture,
        pretrained=pretrained,
        output=output,
        resume=resume,
        image_cache=image_cache,
        after_epoch=after_epoch,
        name=name,
        licence=licence,
        device=device,
        workers=workers,
        progress=progress,
    )


def _checked_recipe(recipe: ImageRecipe | None, start: Encoder | None) -> ImageRecipe:
    if start is not None and not isinstance(start, Encoder):
        raise TypeError(
            f"start must be an Encoder, such as Encoder.load('bundled'), not {type(start).__name__}"
        )
    recipe = recipe or (start.recipe if start is not None else ImageRecipe(size=128, crop=0.75))
    if not isinstance(recipe, ImageRecipe):
        raise TypeError(f"recipe must be an ImageRecipe, not {type(recipe).__name__}")
    if recipe.takes_fluxes:
        raise ValueError(
            "pretraining takes colour images; choose a recipe with the stretch of Galaxy Zoo or of a viewer"
        )
    return recipe
