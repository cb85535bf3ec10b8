"""The view to tag galaxies, and to answer a question about each, from which a model learns meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import panel as pn

from galzoo_repr.app._cards import links_to, text_of_cell
from galzoo_repr.app._component import Component, module
from galzoo_repr.app._lesson import EVERY, Lesson
from galzoo_repr.app._mark_words import TAGS, UNSURE, YES_NO
from galzoo_repr.app._people import agreement_facts
from galzoo_repr.app._rate import ALIKE, THINKING, RatingGrid
from galzoo_repr.app._tag_bar import LabelBar
from galzoo_repr.app._viewer import Viewer

if TYPE_CHECKING:
    from galzoo_repr.app._session import Session

__all__ = ["view"]

KEPT = "label"  # what is asked, when the page is opened again
TAG = ["t", "tag", "tag", "tag this galaxy"]
WHERE = "t gives a tag. To label as well, name a column and its answers above."
NOTHING = "No galaxy is left that has no answer."


def view(session: Session) -> Any:
    """Bar of question and tags; below it the galaxies, the viewer of fluxes, and what was learned."""
    return LabelView(session).layout


class LabelView:
    """Parts of the view, made anew where another question is asked."""

    def __init__(self, session: Session):
        self._session, self._only = session, False
        self.bar = LabelBar(session, ask=self.ask, only=self.only, leave=lambda: self.grid.focus())
        self._body = pn.Row(sizing_mode="stretch_both", margin=0)
        self._viewer = Viewer(session)
        self._viewer.visible = False
        name = session.desk.recall(self._kept, "")
        column = name if name in session.desk.marks.questions() else ""
        self._begin(column)
        session.listen("taught", lambda _: self._taught())
        session.listen("marked", self._marked)
        session.listen("view", lambda title: self.grid.focus(asked=False) if title == "Label" else None)

    @property
    def layout(self) -> Any:
        """All parts."""
        return pn.Column(self.bar, self._body, sizing_mode="stretch_both", margin=0)

    @property
    def _kept(self) -> str:
        return f"{KEPT}_{self._session.desk.rater}" if self._session.desk.rater else KEPT

    def ask(self, column: str, answers: str) -> None:
        """Ask something of each galaxy; a `ValueError` if it cannot be asked."""
        desk = self._session.desk
        said = [one.strip() for one in answers.split(",") if one.strip()]
        desk.marks.ask(column.strip(), said or YES_NO)
        desk.keep(self._kept, column.strip())
        self._begin(column.strip(), asked=True)

    def only(self, selected: bool) -> None:
        """Show those selected alone, or those that teach most."""
        if selected and not len(self._session.selection):
            raise ValueError("nothing is selected: select galaxies on the map, or find some")
        self._only = selected
        self.lesson.only(self._session.selection if selected else None)
        self.grid.restart()

    def _begin(self, column: str, *, asked: bool = False) -> None:
        self.lesson = lesson_for(self._session, column)
        self.lesson.only(self._session.selection if self._only else None)
        self.bar.column = column
        self.grid = LabelGrid(self._session, self._viewer, self.lesson, on_tag=self.bar.focus, asked=asked)
        self.panel = LearnedPanel(self._session, self.lesson)
        self.panel.visible = bool(column) and self._session.desk.ratings is not None
        self._body.objects = [self.grid, self._viewer, self.panel]

    def _taught(self) -> None:
        self.grid.taught()
        self.panel.tell()

    def _marked(self, column: str) -> None:
        self.grid.marked(column)
        self.panel.tell()


def lesson_for(session: Session, column: str) -> Lesson:
    """Lesson of a column, the same for all pages; of no column, galaxies to be tagged."""
    desk = session.desk
    if column not in desk.lessons:
        embedding = desk.ratings.embedding if desk.ratings is not None else None
        desk.lessons[column] = Lesson(desk, column, embedding=embedding)
    return desk.lessons[column]


class LabelGrid(RatingGrid):
    """The grid of the rating view, whose answers are labels of one column."""

    _kinds = RatingGrid._kinds | {"tag"}

    def __init__(self, session: Session, viewer: Viewer, lesson: Lesson, *, on_tag: Any, asked: bool):
        self._lesson, self._on_tagging = lesson, on_tag
        keys = keys_of(lesson.answers) if lesson.column else []
        more = [TAG] if session.desk.ratings is None else [TAG, ALIKE]
        about = {
            "title": f"Label {lesson.column}" if keys else "Tag galaxies",
            "meaning": f"label {lesson.column}",
            "without": [] if keys else ["s", "u", "Backspace"],
        }
        super().__init__(session, viewer, keys=keys, more=more, asked=asked, **about)

    def _listen(self) -> None:
        """The view hears of everything, as its grid is another one with each question."""

    @property
    def _ratings(self) -> Lesson:
        return self._lesson

    def taught(self) -> None:
        """Something was learned: show what is thought of the galaxies now."""
        self._learned()

    def marked(self, column: str) -> None:
        """Tags were given, here or elsewhere."""
        if column == TAGS:
            self._send_msg({"kind": "facts", "cards": self._cards(self._rows)})

    def restart(self) -> None:
        """Show other galaxies."""
        self._batch(self._lesson.batch())

    def focus(self, *, asked: bool = True) -> None:
        """Let keys go to the grid; unless it was asked for, not while a person is elsewhere in the page."""
        self._send_msg({"kind": "focus", "asked": asked})

    def _on_tag(self, message: dict) -> None:
        self._session.set("current", int(message["row"]))
        self._on_tagging()

    def _tell(self, row: int | None) -> None:
        """Others have heard of it from the marks."""

    def _nothing(self) -> str:
        working = self._lesson.working or not (self._lesson.learned.reserve or self._lesson.failure)
        return THINKING if working and self._session.desk.ratings is not None else NOTHING

    def _card(self, row: int, name: str) -> dict:
        desk, lesson = self._session.desk, self._lesson
        facts = [[column, text_of_cell(desk, column, row)] for column in desk.show]
        opinion = lesson.learned.opinions.get(row)
        return {
            "row": row,
            "name": name,
            "answer": (desk.marks.answer(row, lesson.column) or None) if lesson.column else None,
            "predicted": None,
            "opinions": [["model", opinion]] if opinion else [],
            "why": "The model is unsure of it, and it is unlike others" if opinion else "",
            "facts": [["tags", ", ".join(desk.marks.tags(row)) or "–"], *facts],
            "links": links_to(desk, row),
        }

    def _progress(self) -> dict:
        lesson, marks = self._lesson, self._session.desk.marks
        if not lesson.column:
            return {"facts": [], "advice": WHERE, "rated": 0}
        counts = marks.counts(lesson.column)
        facts = [[answer, str(counts.get(answer, 0))] for answer in [*lesson.answers, UNSURE]]
        facts += agreement_facts(marks.by_person(lesson.column))
        return {"facts": facts, "advice": lesson.failure, "rated": len(marks.own_answers(lesson.column))}


class LearnedPanel(Component):
    """What a model has learned from the labels so far."""

    _esm = module("learned.js")

    def __init__(self, session: Session, lesson: Lesson):
        self._lesson, self._shown = lesson, None
        super().__init__(session, width=330, sizing_mode="stretch_height")

    def _on_ready(self, message: dict) -> None:
        self.tell(anew=True)

    def tell(self, *, anew: bool = False) -> None:
        """Send the browser what is known by now."""
        lesson, learned = self._lesson, self._lesson.learned
        said = "Learning …" if lesson.working and (lesson.n_new >= EVERY or learned.model) else self._since()
        message: dict = {"state": said, **learned.report, "labels": learned.n_labelled}
        if anew or learned.pictures is not self._shown:
            message["pictures"] = list(learned.pictures or ())
            self._shown = learned.pictures
        self._send_msg(message)

    def _since(self) -> str:
        lesson = self._lesson
        left = max(EVERY - lesson.n_new, 0)
        if lesson.learned.model is None:
            return lesson.failure or f"A model learns once {EVERY} galaxies are labelled: {left} to go."
        return f"From {lesson.learned.n_labelled} answers; it learns again after {left} more."


def keys_of(answers: list[str]) -> list[list[str]]:
    """Keys of answers: y and n of yes and no, their number of others, and u of unsure."""
    yes_no = [one.casefold() for one in answers] == YES_NO
    keys = ["y", "n"] if yes_no else [str(i + 1) for i in range(len(answers))]
    return [*map(list, zip(keys, answers, strict=True)), ["u", UNSURE]]
