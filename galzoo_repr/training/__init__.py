"""What fine-tuning and pretraining share: images by row number, augmentation, the loss of votes, checkpoints."""

from galzoo_repr.training._augmentation import Augmentation
from galzoo_repr.training._checkpoint import (
    BEST,
    begin_run,
    end_run,
    is_finished,
    read_checkpoint,
    write_checkpoint,
)
from galzoo_repr.training._decoding import decode_images, field_pixels
from galzoo_repr.training._image_sources import DecodedImages, ImagesOnDevice, RenderedImages
from galzoo_repr.training._loss import concentrations, dirichlet_multinomial_loss, expected_fractions
from galzoo_repr.training._on_device import half_precision, room_for_batches

__all__ = [
    "BEST",
    "Augmentation",
    "DecodedImages",
    "ImagesOnDevice",
    "RenderedImages",
    "begin_run",
    "concentrations",
    "decode_images",
    "dirichlet_multinomial_loss",
    "end_run",
    "expected_fractions",
    "field_pixels",
    "half_precision",
    "is_finished",
    "read_checkpoint",
    "room_for_batches",
    "write_checkpoint",
]
