"""Model input becomes a representation."""
