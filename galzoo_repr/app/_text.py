"""Files of this folder that go to the browser."""

from pathlib import Path

__all__ = ["text_of"]


def text_of(name: str) -> str:
    """Text of a file of this folder."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
