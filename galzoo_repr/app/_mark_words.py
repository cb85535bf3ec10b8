"""Which words can be tags, labels and names of columns."""

from __future__ import annotations

import re

from galzoo_repr.catalogue import means_no_value

__all__ = ["TAGS", "UNSURE", "YES_NO", "checked_answers", "checked_column", "checked_tag", "tags_in"]

TAGS = "tags"
UNSURE = "unsure"
YES_NO = ["yes", "no"]
MOST_ANSWERS = 9  # each of which has a digit for its key
LONGEST = 64  # characters of a tag or label
# What stands between tags, for everybody who reads such a column.
_BETWEEN = re.compile(r"[,;|\n\r]|\s+(?=#)")
_COLUMN = re.compile(r"[A-Za-z]\w{0,63}", re.ASCII)


def tags_in(text: str) -> list[str]:
    """Tags in a cell, as `galzoo_repr.find_similar` reads them, but spelled as they are."""
    tags = [tag.strip().lstrip("#").strip() for tag in _BETWEEN.split(text)]
    return list(dict.fromkeys(tag for tag in tags if not means_no_value(tag)))


def checked_tag(text: str) -> str:
    """One tag, blanks around and doubled left out; a `ValueError` if this is none."""
    tag = _plain(text).lstrip("#").strip()
    if _BETWEEN.search(text.strip()) or not tag.isprintable():
        raise ValueError(
            "a tag is a few words without commas, semicolons, bars or #; give several one by one"
        )
    if means_no_value(tag):
        raise ValueError(f"{text!r} stands for no tag; a tag is a word or two")
    return _short(tag, "tag")


def checked_answers(answers: list[str], *, least: int = 2) -> list[str]:
    """Answers of a question but unsure, which can always be given; a `ValueError` if they are none."""
    plain = [_plain(answer) for answer in answers]
    if least > 1:
        plain = [answer for answer in plain if answer.casefold() != UNSURE]
    if len({answer.casefold() for answer in plain}) != len(plain) or not least <= len(plain) <= MOST_ANSWERS:
        raise ValueError(f"give {least} to {MOST_ANSWERS} different answers, with commas between them")
    for answer in plain:
        if not answer.isprintable() or (means_no_value(answer) and answer.casefold() != UNSURE):
            raise ValueError(f"{answer!r} stands for no answer; choose another word")
        _short(answer, "label")
    return plain


def checked_column(name: str) -> str:
    """Name of a column of labels; a `ValueError` if it cannot be one."""
    if not _COLUMN.fullmatch(name) or name == TAGS:
        raise ValueError(
            f"{name!r} cannot be the name of a column of labels; use letters, digits and underscores"
        )
    return name


def _plain(text: str) -> str:
    return " ".join(str(text).split())


def _short(text: str, what: str) -> str:
    if len(text) > LONGEST:
        raise ValueError(f"a {what} has {LONGEST} characters at most, not {len(text)}")
    return text
