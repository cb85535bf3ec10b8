"""Pictures at hand, in batches."""

from collections.abc import Iterator, Sequence

from galzoo_repr.images import Picture

__all__ = ["in_batches"]


def in_batches(pictures: Sequence[Picture], size: int) -> Iterator[list[tuple[int, Picture]]]:
    """Rows with their pictures, in order."""
    rows = list(enumerate(pictures))
    yield from (rows[start : start + size] for start in range(0, len(rows), size))
