"""From ratings to a score for every galaxy."""
