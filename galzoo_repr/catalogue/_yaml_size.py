"""YAML that would unfold to much more than it is, refused before anything walks through it."""

import yaml

__all__ = ["refuse_unfolding"]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 100
_MOST = 1_000_000  # nodes, every mention of an anchor counted with all that it stands for


def refuse_unfolding(text: str) -> None:
    """
    Refuse text in YAML whose anchors stand for one another such that it unfolds without bound, or nested too deeply.

    Text without anchors and with few brackets is not looked at. A `ValueError` if it is refused, or no YAML.
    """
    anchors = "&" in text and "*" in text
    if not anchors and text.count("[") + text.count("{") <= _DEEPEST:
        return
    try:
        _refuse_depth(text)
        size = _size(yaml.compose(text, Loader=_LOADER), {}) if anchors else 1
    except RecursionError:
        raise ValueError("its YAML is nested within itself") from None
    except yaml.YAMLError as error:
        raise ValueError(f"its YAML cannot be read: {error}") from error
    if size > _MOST:
        raise ValueError(f"the anchors in its YAML unfold to {size:.2g} values")


def _refuse_depth(text: str) -> None:
    # What reads it afterwards takes seconds for thousands of brackets, as each looks at all that are open.
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(f"its YAML is nested more than {_DEEPEST} deep")


def _size(node: yaml.Node | None, known: dict[int, int]) -> int:
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        parts = (one for each in node.value for one in (each if isinstance(each, tuple) else (each,)))
        known[id(node)] = 1 + sum(_size(one, known) for one in parts)
    return known[id(node)]
