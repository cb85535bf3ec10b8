"""The colours of classes in all figures of the package."""

__all__ = ["CLASS_COLOURS", "CLASS_MARKERS"]

CLASS_COLOURS = (
    *("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8b3a00", "#6a00d9", "#4c4c4c"),
    "#b0b0b0",
)
"""Colours of classes, which people tell apart whatever colours they see (Okabe and Ito 2008, extended); the last for
all others."""

CLASS_MARKERS = "os^DvPX<>*"
"""Shapes of matplotlib for the same classes, for those who see no colours, or print without."""
