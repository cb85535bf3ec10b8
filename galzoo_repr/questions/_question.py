"""One question of a tree, and how it is described in a file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from galzoo_repr._arguments import did_you_mean

__all__ = ["Question", "check_keys", "question_from_dict", "questions_from_list", "repeated"]

_QUESTION_KEYS = {"name", "text", "answers", "asked_after", "published", "campaign"}


@dataclass(frozen=True)
class Question:
    """
    One question and its possible answers.

    Parameters
    ----------
    name : str
        Name, such as ``"bar"``.
    answers : tuple of str
        Possible answers, at least two.
    campaign : str
        Suffix that tells campaigns apart which ask the same, such as ``"dr5"``; may be empty.
    asked_after : tuple of str
        Columns of the answers after which the question is asked, all of one other question. Empty: asked of
        everybody.
    text : str
        The question in words.
    published : tuple of str
        Column prefixes of the answers in the published catalogue, where these differ from ``columns``.

    Examples
    --------
    >>> from galzoo_repr.questions import Question
    >>> question = Question("shells", ("yes", "no"), campaign="2026", text="Do you see shells around the galaxy?")
    >>> question.label, question.columns
    ('shells-2026', ('shells-2026_yes', 'shells-2026_no'))
    """

    name: str
    answers: tuple[str, ...]
    campaign: str = ""
    asked_after: tuple[str, ...] = ()
    text: str = ""
    published: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name or not isinstance(self.name, str):
            raise ValueError(f"a question needs a name, not {self.name!r}")
        if len(self.answers) < 2:
            raise ValueError(
                f"question {self.name!r} has {len(self.answers)} answer(s); it needs at least two"
            )
        if twice := repeated(self.answers):
            raise ValueError(f"question {self.name!r} has the answer(s) {', '.join(twice)} more than once")
        if self.published and len(self.published) != len(self.answers):
            raise ValueError(
                f"question {self.name!r} has {len(self.answers)} answers but "
                f"{len(self.published)} published columns"
            )

    @property
    def label(self) -> str:
        """Name and campaign, as in the columns: ``"bar-dr5"``."""
        return f"{self.name}-{self.campaign}" if self.campaign else self.name

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the vote columns, one per answer: ``("bar-dr5_strong", ...)``."""
        return tuple(f"{self.label}_{answer}" for answer in self.answers)

    def to_dict(self) -> dict:
        """
        Return plain lists and strings, as a file holds them.

        Returns
        -------
        dict

        Examples
        --------
        >>> from galzoo_repr.questions import Question
        >>> written = Question("ring", ("yes", "no"), campaign="2026").to_dict()
        >>> {key: value for key, value in written.items() if value}
        {'name': 'ring', 'campaign': '2026', 'answers': ['yes', 'no']}
        """
        return {
            "name": self.name,
            "campaign": self.campaign,
            "text": self.text,
            "answers": list(self.answers),
            "asked_after": list(self.asked_after),
            "published": list(self.published),
        }


def question_from_dict(description: Mapping, campaign: str) -> Question:
    """
    Make a question from a mapping with the names of its fields.

    Parameters
    ----------
    description : mapping
        ``{"name": ..., "answers": [...], ...}``; ``asked_after`` may be one answer or a list.
    campaign : str
        Campaign unless the description names one.

    Returns
    -------
    Question
        Asked after the answers as they are written.

    Raises
    ------
    ValueError, TypeError
        If a key is missing, unknown or of the wrong type.
    """
    if not isinstance(description, Mapping):
        raise TypeError(f"a question is a table with a name and answers, not {description!r}")
    check_keys(description, _QUESTION_KEYS, {"name", "answers"}, f"question {description.get('name')!r}")
    answers, after = description["answers"], description.get("asked_after", ())
    if isinstance(answers, str) or not all(isinstance(answer, str) for answer in answers):
        raise TypeError(
            f"the answers of question {description['name']!r} are a list of strings, not {answers!r}"
        )
    return Question(
        name=description["name"],
        answers=tuple(answers),
        campaign=description.get("campaign", campaign),
        asked_after=(after,) if isinstance(after, str) else tuple(after),
        text=description.get("text", ""),
        published=tuple(description.get("published", ())),
    )


def questions_from_list(descriptions: Sequence[Mapping], campaign: str) -> tuple[Question, ...]:
    """
    Make the questions of a tree, each asked after answers of the others.

    Parameters
    ----------
    descriptions : sequence of mapping
        As for `question_from_dict`. ``asked_after`` may leave out the campaign.
    campaign : str
        Campaign of those that name none.

    Returns
    -------
    tuple of Question
        Asked after columns, campaign included.

    Raises
    ------
    ValueError, TypeError
        As for `question_from_dict`, or if this is no list.
    """
    if not isinstance(descriptions, Sequence) or isinstance(descriptions, str):
        raise TypeError(f"`questions` is a list of tables, not {descriptions!r}")
    questions = [question_from_dict(each, campaign) for each in descriptions]
    return tuple(_with_full_parents(each, questions) for each in questions)


def _with_full_parents(question: Question, questions: Iterable[Question]) -> Question:
    """Write the answers after which a question is asked as columns, campaign included."""
    short = {
        f"{other.name}_{answer}": column
        for other in questions
        if other.campaign == question.campaign
        for answer, column in zip(other.answers, other.columns, strict=True)
    }
    return replace(question, asked_after=tuple(short.get(each, each) for each in question.asked_after))


def check_keys(description: Mapping, allowed: set[str], required: set[str], what: str) -> None:
    """
    Refuse a description with missing or unknown keys.

    Parameters
    ----------
    description : mapping
        What was read.
    allowed, required : set of str
        Keys that it may have, and must.
    what : str
        What it describes.

    Raises
    ------
    ValueError
        If a key is missing or unknown.
    """
    if missing := required - description.keys():
        raise ValueError(f"the {what} lacks {', '.join(sorted(missing))}")
    if unknown := description.keys() - allowed:
        raise ValueError(
            f"the {what} has the unknown key(s) {', '.join(sorted(unknown))}; "
            f"allowed are {', '.join(sorted(allowed))}{did_you_mean(min(unknown), allowed)}"
        )


def repeated(names: Iterable[str]) -> list[str]:
    """Names that occur more than once, each once, sorted."""
    names = list(names)
    return sorted({name for name in names if names.count(name) > 1})
