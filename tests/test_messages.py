"""
All messages of the package on one page, and what each of them keeps to.

``python tests/test_messages.py`` prints the page, to be read aloud before a release.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import galzoo_repr

PACKAGE = Path(galzoo_repr.__file__).parent
# Words of those who write the package, and names of its parts, that mean nothing to those who read a message.
JARGON = (
    *(
        "verb",
        "the oracle",
        "helper",
        "kwargs",
        "callback",
        "payload",
        "sentinel",
        "singleton",
        "lesson",
    ),
    *(
        "dataclass",
        "iterable",
        "instance of",
        "invalid input",
        "something went wrong",
        "please",
        "oops",
        "illegal",
    ),
)
# Faults found while a file is read or a request answered, put into a sentence that names it.
FRAGMENTS = (
    *("_torch_file.py", "_device.py", "_yaml_size.py", "_text.py", "_fits.py", "_votable_document.py"),
    *("_parquet.py", "_graph.py", "_replay.py", "_viewer_request.py"),
)


class Message(NamedTuple):
    place: str  # file and line in the package
    kind: str  # the exception, or "warning"
    text: str  # with the code of what is filled in between braces


def messages() -> Iterator[Message]:
    """Every message that the package raises or warns with, in the order of the files."""
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                kind, given = ast.unparse(node.exc.func), node.exc.args
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("warnings.warn", "warn"):
                kind, given = "warning", node.args[:1]
            else:
                continue
            yield Message(f"{place}:{node.lineno}", kind, " ".join(map(text_of, given)))


def text_of(node: ast.AST) -> str:
    """Text that an expression makes, with the code of what is filled in between braces."""
    match node:
        case ast.Constant():
            return str(node.value)
        case ast.JoinedStr():
            parts = node.values
            return "".join(
                text_of(part) if isinstance(part, ast.Constant) else braced(part.value) for part in parts
            )
        case ast.BinOp(op=ast.Add()):
            return text_of(node.left) + text_of(node.right)
        case ast.IfExp():
            return f"{text_of(node.body)} / {text_of(node.orelse)}"
    return braced(node)


def braced(node: ast.AST) -> str:
    return "{" + ast.unparse(node) + "}"


def page() -> str:
    """One line for each message, by file."""
    return "\n".join(f"{each.place}  {each.kind}\n    {each.text}" for each in messages()) + "\n"


ALL = list(messages())


def test_all_messages_stand_on_one_page(tmp_path):
    there = tmp_path / "messages.txt"
    there.write_text(page(), encoding="utf-8")
    assert there.read_text(encoding="utf-8").count("\n    ") >= len(ALL) > 500


def listed(wrong: list[Message]) -> str:
    return "\n".join(f"{each.place} {each.kind}: {each.text}" for each in wrong)


def test_no_message_is_empty():
    wrong = [
        each for each in ALL if not each.text.strip() and not each.kind.startswith(("typer", "HTTPError"))
    ]
    assert not wrong, listed(wrong)


def test_messages_are_in_the_words_of_astronomers():
    words = re.compile("|".join(rf"\b{word}s?\b" for word in JARGON), re.IGNORECASE)
    wrong = [each for each in ALL if words.search(re.sub(r"\{.*?\}", "", each.text))]
    assert not wrong, listed(wrong)


def test_errors_about_arguments_tell_what_was_given_or_name_the_argument():
    wrong = [
        each
        for each in ALL
        if each.kind in ("ValueError", "TypeError")
        and not each.place.split("/")[-1].startswith(FRAGMENTS)
        and not re.search(r"\{|'|`|\w=|\w+ (must|needs?|is|has)\b|, not ", each.text)
        and ";" not in each.text  # what to do
        and ":" not in each.text
    ]
    assert not wrong, listed(wrong)


def test_warnings_of_several_sentences_end_with_a_full_stop():
    wrong = [
        each
        for each in ALL
        if each.kind == "warning"
        and re.search(r"[a-z)}][.?] [A-Z]", each.text)
        and not each.text.endswith((".", "?", "}"))
    ]
    assert not wrong, listed(wrong)


def test_only_one_function_suggests_names():
    wrong = [each for each in ALL if "did you mean" in re.sub(r"\{.*?\}", "", each.text)]
    assert not wrong, listed(wrong)


if __name__ == "__main__":
    print(page(), end="")
