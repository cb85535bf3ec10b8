"""From labels to prediction columns."""
