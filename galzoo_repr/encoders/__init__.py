"""Model input becomes a representation."""

from galzoo_repr.encoders._encoder import Encoder
from galzoo_repr.encoders._names import list_encoders, zoobot_recipe

__all__ = ["Encoder", "list_encoders", "zoobot_recipe"]
