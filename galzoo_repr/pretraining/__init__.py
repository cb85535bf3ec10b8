"""From votes to an encoder."""
