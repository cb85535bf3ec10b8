"""Question trees: what volunteers are asked, in which order, and in which columns their votes are."""

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from galzoo_repr._arguments import did_you_mean
from galzoo_repr.questions._question import Question, check_keys, questions_from_list, repeated
from galzoo_repr.questions._schema_files import schema_text
from galzoo_repr.questions._schema_tree import branches

__all__ = ["Schema"]

_SCHEMA_KEYS = {"name", "title", "campaign", "source", "questions"}


@dataclass(frozen=True)
class Schema:
    """
    A tree of questions, and the table columns in which the votes for each answer are counted.

    Columns are named ``question-campaign_answer``, as Galaxy Zoo publishes them.

    Parameters
    ----------
    name : str
        Name of the schema.
    questions : tuple of Question
        The questions. Validated: labels and columns are unique, parents exist, there is no cycle.
    title, source : str
        What the schema describes and where it was published.

    Raises
    ------
    ValueError
        If the questions do not form a forest of questions.

    Examples
    --------
    >>> from galzoo_repr.questions import Schema
    >>> schema = Schema.from_dict({
    ...     "name": "rings",
    ...     "questions": [
    ...         {"name": "disk", "answers": ["yes", "no"]},
    ...         {"name": "ring", "answers": ["inner", "outer", "none"], "asked_after": "disk_yes"},
    ...     ],
    ... })
    >>> print(schema)
    rings (2 questions, 5 answers)
    └─ disk: yes | no
       └─ after yes: ring: inner | outer | none
    >>> schema.columns
    ('disk_yes', 'disk_no', 'ring_inner', 'ring_outer', 'ring_none')
    >>> schema.labels, schema.question_index.tolist(), [question.label for question in schema.questions_in_order]
    (('disk', 'ring'), [0, 0, 1, 1, 1], ['disk', 'ring'])
    """

    name: str
    questions: tuple[Question, ...]
    title: str = field(default="", compare=False)
    source: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.questions:
            raise ValueError(f"schema {self.name!r} has no question")
        if twice := repeated(question.label for question in self.questions):
            raise ValueError(f"schema {self.name!r} asks {', '.join(twice)} more than once")
        if twice := repeated(self.columns):
            raise ValueError(f"schema {self.name!r} has the column(s) {', '.join(twice)} more than once")
        for question in self.questions:
            self._check_parent(question)
        self._levels  # noqa: B018  looks for cycles

    def _check_parent(self, question: Question) -> None:
        unknown = [column for column in question.asked_after if column not in self._question_of]
        if unknown:
            raise ValueError(
                f"schema {self.name!r}: question {question.label!r} is asked after {', '.join(unknown)}, "
                f"which is the answer of no question; the answers are {', '.join(self.columns)}"
            )
        parents = {self._question_of[column] for column in question.asked_after}
        if len(parents) > 1:
            raise ValueError(
                f"schema {self.name!r}: question {question.label!r} is asked after answers of several "
                f"questions ({', '.join(sorted(parents))}); name answers of one question that lead to it"
            )

    # Ways to get one.

    @classmethod
    def load(cls, source: "str | os.PathLike | Mapping | Schema | Sequence") -> "Schema":
        """
        Make a schema from whatever describes one.

        Parameters
        ----------
        source : str, path, mapping, Schema or sequence of these
            Name of a schema that comes with the package (see `schema_names`), path of a TOML file, mapping
            as for `from_dict`, or several of these, whose union is returned.

        Returns
        -------
        Schema

        Raises
        ------
        ValueError
            If there is no such schema or file, or it is not valid.
        TypeError
            If `source` is none of the above.

        Examples
        --------
        >>> from galzoo_repr import Schema
        >>> Schema.load("gz_decals_dr5")["bar"].columns
        ('bar-dr5_strong', 'bar-dr5_weak', 'bar-dr5_no')
        """
        if isinstance(source, Schema):
            return source
        if isinstance(source, Mapping):
            return cls.from_dict(source)
        if isinstance(source, (str, os.PathLike)):
            return cls.from_toml(schema_text(source), where=str(source))
        if isinstance(source, Sequence) and source:
            first, *others = (cls.load(each) for each in source)
            return first.union(*others)
        raise TypeError(
            f"a schema is a name, a path to a TOML file, a mapping, a Schema or a list, not {source!r}"
        )

    @classmethod
    def from_toml(cls, text: str, *, where: str = "the schema") -> "Schema":
        r"""
        Make a schema from the text of a TOML file.

        Parameters
        ----------
        text : str
            Keys ``name``, optionally ``title``, ``campaign`` and ``source``, and an array of tables
            ``questions`` with the keys of `Question`.
        where : str
            What to call the text in an error message.

        Returns
        -------
        Schema

        Raises
        ------
        ValueError
            If the text is not TOML or does not describe a schema.

        Examples
        --------
        >>> from galzoo_repr import Schema
        >>> text = 'name = "bars"\n[[questions]]\nname = "bar"\nanswers = ["yes", "no"]'
        >>> Schema.from_toml(text).columns
        ('bar_yes', 'bar_no')
        """
        try:
            return cls.from_dict(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"cannot read {where} as TOML: {error}") from error

    @classmethod
    def from_dict(cls, description: Mapping) -> "Schema":
        """
        Make a schema from a mapping with the keys of the TOML form.

        Parameters
        ----------
        description : mapping
            ``{"name": ..., "campaign": ..., "questions": [{"name": ..., "answers": [...], "asked_after":
            ...}, ...]}``.
            ``asked_after`` names one answer or a list of them as ``question_answer``; the campaign may be
            left out.

        Returns
        -------
        Schema

        Raises
        ------
        ValueError, TypeError
            If a key is missing, unknown or of the wrong type, or the schema is not valid.

        Examples
        --------
        >>> from galzoo_repr import Schema
        >>> schema = Schema.from_dict({"name": "bars", "questions": [{"name": "bar", "answers": ["yes", "no"]}]})
        >>> schema.columns
        ('bar_yes', 'bar_no')
        """
        check_keys(description, _SCHEMA_KEYS, {"name", "questions"}, "schema")
        return cls(
            name=description["name"],
            questions=questions_from_list(description["questions"], description.get("campaign", "")),
            title=description.get("title", ""),
            source=description.get("source", ""),
        )

    def to_dict(self) -> dict:
        """
        Return plain lists and strings from which `from_dict` makes an equal schema.

        Returns
        -------
        dict

        Examples
        --------
        >>> from galzoo_repr import Schema
        >>> schema = Schema.load("gz_decals_dr5")
        >>> Schema.from_dict(schema.to_dict()) == schema
        True
        """
        questions = [question.to_dict() for question in self.questions]
        return {"name": self.name, "title": self.title, "source": self.source, "questions": questions}

    def union(self, *others: "Schema") -> "Schema":
        """
        Join the questions of several schemas, for a training run that mixes surveys.

        Parameters
        ----------
        *others : Schema
            Schemas of other campaigns. A question that several have in common must be the same in all.

        Returns
        -------
        Schema

        Raises
        ------
        ValueError
            If two schemas give the same label to different questions.

        Examples
        --------
        >>> from galzoo_repr.questions import Schema
        >>> both = Schema.load("gz_decals_dr5").union(Schema.load("gz_rings"))
        >>> len(both.questions), both.columns[-2:]
        (11, ('ring_yes', 'ring_no'))
        """
        merged: dict[str, Question] = {}
        for schema in (self, *others):
            for question in schema.questions:
                known = merged.setdefault(question.label, question)
                if (known.answers, known.asked_after) != (question.answers, question.asked_after):
                    raise ValueError(
                        f"schema {schema.name!r} and an earlier one have different questions of the name "
                        f"{question.label!r}; give one of them another campaign"
                    )
        names = dict.fromkeys(schema.name for schema in (self, *others))
        return Schema(name="+".join(names), questions=tuple(merged.values()))

    def only(self, *labels: str) -> "Schema":
        """
        Keep some of the questions, such as those that a survey really asked.

        Parameters
        ----------
        *labels : str
            Questions to keep, by name or by label with campaign. One whose parent is left out counts as
            asked of everybody.

        Returns
        -------
        Schema

        Raises
        ------
        ValueError
            If there is no such question.

        Examples
        --------
        >>> from galzoo_repr import Schema
        >>> print(Schema.load("gz_decals_dr5").only("disk-edge-on", "bar"))
        gz_decals_dr5[disk-edge-on,bar] (2 questions, 5 answers)
        └─ disk-edge-on-dr5: yes | no
           └─ after no: bar-dr5: strong | weak | no
        """
        kept = [self[label] for label in labels]
        columns = {column for question in kept for column in question.columns}
        questions = tuple(
            question if set(question.asked_after) <= columns else replace(question, asked_after=())
            for question in self.questions
            if question in kept
        )
        return Schema(name=f"{self.name}[{','.join(labels)}]", questions=questions, source=self.source)

    # What is in it.

    def __getitem__(self, label: str) -> Question:
        matches = [each for each in self.questions if label in (each.label, each.name)]
        exact = [each for each in matches if each.label == label]
        if not matches or (len(matches) > 1 and not exact):
            labels = [each.label for each in self.questions]
            raise ValueError(
                f"schema {self.name!r} has {len(matches)} questions {label!r}; "
                f"it has {', '.join(labels)}{did_you_mean(label, labels)}"
            )
        return (exact or matches)[0]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """
        Vote columns of all answers, question by question.

        Examples
        --------
        >>> Schema.load("gz_rings").columns
        ('ring_yes', 'ring_no')
        """
        return tuple(column for question in self.questions for column in question.columns)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """
        Labels of the questions.

        Examples
        --------
        >>> Schema.load("gz_decals_dr5").labels[:2]
        ('smooth-or-featured-dr5', 'disk-edge-on-dr5')
        """
        return tuple(question.label for question in self.questions)

    @cached_property
    def question_index(self) -> np.ndarray:
        """
        Which question each answer belongs to: int64, shape (n_answers,), ascending.

        Examples
        --------
        >>> Schema.load("gz_decals_dr5").question_index[:8]
        array([0, 0, 0, 1, 1, 2, 2, 3])
        """
        counts = [len(question.answers) for question in self.questions]
        return np.repeat(np.arange(len(self.questions)), counts)

    @cached_property
    def _question_of(self) -> dict[str, str]:
        return {column: question.label for question in self.questions for column in question.columns}

    def parent(self, question: "Question | str") -> Question | None:
        """
        Question whose answer leads to this one.

        Parameters
        ----------
        question : Question or str
            A question of this schema.

        Returns
        -------
        Question or None
            None for a question that everybody is asked.

        Examples
        --------
        >>> from galzoo_repr import Schema
        >>> Schema.load("gz_decals_dr5").parent("bar").name
        'disk-edge-on'
        """
        question = self[question] if isinstance(question, str) else question
        return self[self._question_of[question.asked_after[0]]] if question.asked_after else None

    @cached_property
    def _levels(self) -> dict[str, int]:
        """Number of questions answered before each, which is finite only without cycles."""
        levels = {}
        for question in self.questions:
            path = [question.label]
            while (parent := self.parent(self[path[-1]])) is not None:
                if parent.label in path:
                    raise ValueError(
                        f"schema {self.name!r} asks in a circle: {' <- '.join([*path, parent.label])}"
                    )
                path.append(parent.label)
            levels[question.label] = len(path) - 1
        return levels

    @cached_property
    def questions_in_order(self) -> tuple[Question, ...]:
        """
        The questions, each after the one that leads to it.

        Examples
        --------
        >>> [question.name for question in Schema.load("gz_decals_dr5").questions_in_order[:3]]
        ['smooth-or-featured', 'disk-edge-on', 'how-rounded']
        """
        return tuple(sorted(self.questions, key=lambda question: self._levels[question.label]))

    # What follows from the tree.

    def probability_asked(self, fractions: np.ndarray) -> np.ndarray:
        """
        Probability that a volunteer reaches each question.

        Parameters
        ----------
        fractions : ndarray
            Fraction of those asked who give each answer, shape (..., n_answers).

        Returns
        -------
        ndarray
            Shape (..., n_questions), in the order of ``questions``.

        Examples
        --------
        >>> from galzoo_repr import Schema
        >>> schema = Schema.load("gz_decals_dr5").only("disk-edge-on", "bar")
        >>> schema.probability_asked([0.2, 0.8, 0.1, 0.2, 0.7])
        array([1. , 0.8])
        """
        joint = self.joint_probability(fractions)
        asked = np.ones((*joint.shape[:-1], len(self.questions)))
        for i, question in enumerate(self.questions):
            if question.asked_after:
                asked[..., i] = joint[..., self._positions(question.asked_after)].sum(-1)
        return asked

    def joint_probability(self, fractions: np.ndarray) -> np.ndarray:
        """
        Probability that a volunteer reaches each answer and gives it.

        The product of the fractions along the branch of the tree that leads to the answer.

        Parameters
        ----------
        fractions : ndarray
            Fraction of those asked who give each answer, shape (..., n_answers), in the order of ``columns``.

        Returns
        -------
        ndarray
            float64, shape (..., n_answers).

        Raises
        ------
        ValueError
            If the last axis is not that of the answers.

        Examples
        --------
        >>> from galzoo_repr.questions import Schema
        >>> schema = Schema.load("gz_decals_dr5").only("smooth-or-featured", "disk-edge-on")
        >>> schema.joint_probability([0.2, 0.7, 0.1, 0.4, 0.6])
        array([0.2 , 0.7 , 0.1 , 0.28, 0.42])
        """
        joint = np.array(fractions, dtype=float)
        if joint.ndim == 0 or joint.shape[-1] != len(self.columns):
            raise ValueError(
                f"fractions have shape {joint.shape}; the last axis must be the {len(self.columns)} answers "
                f"of {self.name!r}"
            )
        for question in self.questions_in_order:
            if question.asked_after:
                asked = joint[..., self._positions(question.asked_after)].sum(-1, keepdims=True)
                joint[..., self._positions(question.columns)] *= asked
        return joint

    def _positions(self, columns: Iterable[str]) -> list[int]:
        return [self.columns.index(column) for column in columns]

    def __str__(self) -> str:
        title = f": {self.title}" if self.title else ""
        head = f"{self.name}{title} ({len(self.questions)} questions, {len(self.columns)} answers)"
        return "\n".join([head, *branches(self.questions, self.parent)])
