"""YAML that would unfold to much more than it is, refused before anything walks through it."""

import yaml

__all__ = ["refuse_unfolding"]

_MOST = 1_000_000  # nodes, every mention of an anchor counted with all that it stands for


def refuse_unfolding(text: str) -> None:
    """
    Refuse text in YAML whose anchors stand for one another such that it unfolds without bound.

    Text without anchors is not looked at. A `ValueError` if it is refused, nested too deeply, or no YAML.
    """
    if "&" not in text or "*" not in text:
        return
    try:
        size = _size(yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)), {})
    except RecursionError:
        raise ValueError("its YAML is nested too deeply, or within itself") from None
    except yaml.YAMLError as error:
        raise ValueError(f"its YAML cannot be read: {error}") from error
    if size > _MOST:
        raise ValueError(f"the anchors in its YAML unfold to {size:.2g} values")


def _size(node: yaml.Node | None, known: dict[int, int]) -> int:
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        parts = (one for each in node.value for one in (each if isinstance(each, tuple) else (each,)))
        known[id(node)] = 1 + sum(_size(one, known) for one in parts)
    return known[id(node)]
