"""A question tree drawn in text."""

from collections.abc import Callable, Sequence

from galzoo_repr.questions._question import Question

__all__ = ["branches"]


def branches(
    questions: Sequence[Question],
    parent_of: Callable[[Question], Question | None],
    parent: Question | None = None,
    indent: str = "",
) -> list[str]:
    """
    Draw the questions below one.

    Parameters
    ----------
    questions : sequence of Question
        Those of the tree.
    parent_of : callable
        Gives the question after which one is asked.
    parent : Question, optional
        By default those that everybody is asked.
    indent : str, optional
        What stands before each line.

    Returns
    -------
    list of str
        A line for each question, with its answers and after which answer it is asked.
    """
    children = [question for question in questions if parent_of(question) == parent]
    lines = []
    for child in children:
        last = child is children[-1]
        lines.append(
            f"{indent}{'└─' if last else '├─'} {_condition(parent, child)}{child.label}: "
            f"{' | '.join(child.answers)}"
        )
        lines += branches(questions, parent_of, child, indent + ("   " if last else "│  "))
    return lines


def _condition(parent: Question | None, child: Question) -> str:
    """Name the answers after which a question is asked."""
    if parent is None:
        return ""
    answers = zip(parent.answers, parent.columns, strict=True)
    return f"after {' or '.join(answer for answer, column in answers if column in child.asked_after)}: "
