"""A question tree drawn in text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from galzoo_repr.pretraining._question import Question
    from galzoo_repr.pretraining._schema import Schema

__all__ = ["branches"]


def branches(schema: Schema, parent: Question | None = None, indent: str = "") -> list[str]:
    """
    Draw the questions below one.

    Parameters
    ----------
    schema : Schema
        The tree.
    parent : Question, optional
        By default those that everybody is asked.
    indent : str, optional
        What stands before each line.

    Returns
    -------
    list of str
        A line for each question, with its answers and after which answer it is asked.
    """
    children = [question for question in schema.questions if schema.parent(question) == parent]
    lines = []
    for child in children:
        last = child is children[-1]
        lines.append(
            f"{indent}{'└─' if last else '├─'} {_condition(parent, child)}{child.label}: "
            f"{' | '.join(child.answers)}"
        )
        lines += branches(schema, child, indent + ("   " if last else "│  "))
    return lines


def _condition(parent: Question | None, child: Question) -> str:
    """Name the answers after which a question is asked."""
    if parent is None:
        return ""
    answers = zip(parent.answers, parent.columns, strict=True)
    return f"after {' or '.join(answer for answer, column in answers if column in child.asked_after)}: "
