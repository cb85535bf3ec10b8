"""Model input becomes a representation."""

from galzoo_repr._device import choose_device
from galzoo_repr.encoders._add import add_embeddings
from galzoo_repr.encoders._check_name import check_encoder_name
from galzoo_repr.encoders._encoder import Encoder
from galzoo_repr.encoders._external import add_external_embeddings
from galzoo_repr.encoders._model_card import recipe_rows
from galzoo_repr.encoders._named import published_weights
from galzoo_repr.encoders._names import list_encoders, zoobot_recipe
from galzoo_repr.encoders._store import EmbeddingStore

__all__ = [
    "EmbeddingStore",
    "Encoder",
    "add_embeddings",
    "add_external_embeddings",
    "check_encoder_name",
    "choose_device",
    "list_encoders",
    "published_weights",
    "recipe_rows",
    "zoobot_recipe",
]
