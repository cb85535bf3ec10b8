"""What else is known of real galaxies, for training: further labels as partial votes on the questions of a schema.

All of it lies in the folder ``more`` of the one that ``GALZOO_REAL_DATA`` names. A label becomes votes only for the
answers that it surely means; what it leaves open stays without a vote:

- *Examples* that Galaxy Zoo shows beside an answer: that answer, and those without which nobody is asked the question.
- *Implied answers* of Galaxy Zoo 2 on Kaggle: what the largest vote fraction and the folder of the source prove.
- *Vote fractions* (Galaxy Zoo 1 and 2, GZ DECaLS): as they are, times the number of volunteers or a usual one.
- *Galaxy Zoo 1 classes* of spirals by their sense: arms that wind visibly. "Elliptical" says nothing of features, and
  "edge-on" nothing of whether a disk is seen.
- *Hubble types and EFIGI attributes*: bars (SB, or half the disk long), ellipticals, strong arms, marked rings; of
  disks that are not much inclined.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from astropy.table import Table
from real_galaxies import AGREE, VOLUNTEERS, data_folder, read_set, sdss_labels

from galzoo_repr.questions import Question, Schema

NO_GALAXIES = ("NGC6049", "NGC7493", "NGC7100", "NGC2392", "NGC7565", "NGC7613-NGC7614")
USUAL_VOLUNTEERS = 40
FACE_ON = 0.5  # axis ratio above which bars and rings of a disk would be seen

# Beginning of a question as it is worded for volunteers: its name.
_WORDED = {
    r"Is the galaxy .*simply smooth": "smooth-or-featured",
    r"Could this be a disk": "disk-edge-on",
    r"Is there any sign of a bar": "bar",
    r"Is there any sign of a spiral": "has-spiral-arms",
    r"How many spiral arms": "spiral-arm-count",
    r"How tightly wound": "spiral-winding",
    r"How prominent is the central bulge": "bulge-size",
    r"How rounded": "how-rounded",
    r"Does the galaxy have a bulge at its cent": "bulge-shape",
    r"Is there anything odd": "something-odd",
    r"What are the odd features|Do you see any of these odd": "odd-feature",
    r"Is the galaxy currently merging": "merging",
}
# Answers in words, where the words of a schema differ. None: "yes" or "no" to another question, or no answer of ours.
_SAID = {
    "features": "featured-or-disk", "features or disk": "featured-or-disk", "star or artifact": "artifact",
    "bar": "yes", "no bar": "no", "spiral": "yes", "no spiral": "no", "completely round": "round",
    "cigar shaped": "cigar", "rounded": "round", "can't tell": "cant-tell", "merging": "merger", "both": "merger",
    "neither": "none",
}  # fmt: skip
# What Galaxy Zoo 2 asks as Galaxy Zoo DECaLS does, by another name.
_ALSO = {
    ("how-rounded", "cigar"): ("how-rounded", "cigar-shaped"),
    ("bulge-shape", "round"): ("edge-on-bulge", "rounded"),
    ("bulge-shape", "boxy"): ("edge-on-bulge", "boxy"),
    ("bulge-shape", "no-bulge"): ("edge-on-bulge", "none"),
    ("bulge-size", "no"): ("bulge-size", "none"),
    ("odd-feature", "ring"): ("ring", "yes"),
    ("odd-feature", "merger"): ("galaxy-type", "merger"),
    ("merging", "merger"): ("galaxy-type", "merger"),
}
_KAGGLE = {
    "1": "smooth-or-featured", "2": "disk-edge-on", "3": "bar", "4": "has-spiral-arms", "6": "something-odd",
    "7": "how-rounded", "8": "odd-feature", "10": "spiral-winding", "11": "spiral-arm-count",
}  # fmt: skip
# The order of these answers on Kaggle is not that of the schema.
_KAGGLE_REORDERED = {
    "5": ("bulge-size", ("no", "just-noticeable", "obvious", "dominant")),
    "9": ("bulge-shape", ("round", "boxy", "no-bulge")),
}
_GZ1 = {
    "elliptical": ("P_EL",), "spiral": ("P_CW", "P_ACW"), "edge-on": ("P_EDGE",), "merger": ("P_MG",),
    "dont-know": ("P_DK",),
}  # fmt: skip


def put_answer(
    votes: Table, rows: np.ndarray, schema: Schema, name: str, answer: str, *, alone: bool = False
) -> None:
    """Put votes for an answer to all questions of that name, and to those that lead there, where there are none."""
    for question in schema.questions:
        for asked, said in ((name, answer), _ALSO.get((name, answer), (name, answer))):
            if question.name == asked and said in question.answers:
                _put(votes, rows, schema, question, said, alone=alone)


def _put(
    votes: Table, rows: np.ndarray, schema: Schema, question: Question, answer: str, *, alone: bool
) -> None:
    free = rows & ~np.isfinite(votes[question.columns[0]])
    others = (VOLUNTEERS - AGREE) / (len(question.answers) - 1)
    for each, column in zip(question.answers, question.columns, strict=True):
        votes[column][free] = AGREE if each == answer else others
    if len(question.asked_after) == 1 and not alone:
        (column,) = question.asked_after
        before = next(one for one in schema.questions if column in one.columns)
        said = before.answers[before.columns.index(column)]
        _put(votes, rows, schema, before, said, alone=False)


def no_votes(n: int, schema: Schema) -> Table:
    """Vote columns of n galaxies of which nothing is known."""
    return Table({column: np.full(n, np.nan, np.float32) for column in schema.columns})


def worded_votes(questions: Iterable[str], answers: Iterable[str], schema: Schema) -> Table:
    """Votes of galaxies that are shown as examples of one answer, both in the words that volunteers read."""
    given = list(zip(questions, answers, strict=True))
    votes = no_votes(len(given), schema)
    for row, (words, said) in enumerate(given):
        names = [name for start, name in _WORDED.items() if re.match(start, str(words))]
        if names:
            answer = str(said).lower()
            answer = _SAID.get(answer, answer.replace(" ", "-"))
            if (names[0], answer) == ("bulge-size", "no-bulge"):
                answer = "no"
            put_answer(votes, np.arange(len(given)) == row, schema, names[0], answer)
    return votes


def kaggle_votes(row: Mapping[str, float], schema: Schema) -> dict[str, float]:
    """Vote counts from the 37 fractions of one galaxy, which are shares of all volunteers, not of those asked."""
    found = {}
    for question in schema.questions:
        if not question.columns[0].startswith(f"{question.name}-gz2"):
            continue
        for number in (*_KAGGLE, *_KAGGLE_REORDERED):
            name, answers = _KAGGLE_REORDERED.get(number, (_KAGGLE.get(number), question.answers))
            if name == question.name:
                for i, answer in enumerate(answers, start=1):
                    column = question.columns[question.answers.index(answer)]
                    found[column] = USUAL_VOLUNTEERS * float(row[f"Class{number}.{i}"])
    return found


def sdss_votes(table: Table, schema: Schema) -> Table:
    """All that is known of galaxies of ``sdss_galaxy_zoo``: fractions, then what is implied, then the label itself."""
    votes, labels = no_votes(len(table), schema), sdss_labels(table)
    row_of = {file: row for row, file in enumerate(table["file"])}
    for each in _read("kaggle_37_fractions"):
        if (row := row_of.get(each["file"])) is not None:
            for column, count in kaggle_votes(each, schema).items():
                votes[column][row] = count
    for each in _read("gz1_votes"):
        row = row_of.get(each["file"])
        if row is not None and np.isfinite(each["NVOTE"]):
            for answer, parts in _GZ1.items():
                votes[f"galaxy-type-gz1_{answer}"][row] = VOLUNTEERS * sum(each[part] for part in parts)
    implied = {each["file"]: each for each in _read("kaggle_implied_answers")}
    for column, value, name, answer in (
        ("p_smooth_ge_half", 1, "smooth-or-featured", "smooth"),
        ("p_spiral_gt_half", 1, "has-spiral-arms", "yes"),
        ("p_featured_ge_half", 1, "smooth-or-featured", "featured-or-disk"),
        ("p_odd_ge_half", 1, "something-odd", "yes"),
        ("p_odd_ge_half", 0, "something-odd", "no"),
    ):
        rows = [file in implied and implied[file][column] == value for file in table["file"]]
        put_answer(votes, np.array(rows, bool), schema, name, answer)
    for label, name, answer in (
        ("smooth", "smooth-or-featured", "smooth"),
        ("featured_or_disk", "smooth-or-featured", "featured-or-disk"),
        ("odd_yes", "something-odd", "yes"), ("odd_no", "something-odd", "no"),
        ("star_or_artifact", "smooth-or-featured", "artifact"),
        ("spiral_cw", "has-spiral-arms", "yes"), ("spiral_acw", "has-spiral-arms", "yes"),
        ("elliptical", "galaxy-type", "elliptical"), ("edge_on", "galaxy-type", "edge-on"),
        ("spiral_cw", "galaxy-type", "spiral"), ("spiral_acw", "galaxy-type", "spiral"),
        ("merger", "galaxy-type", "merger"), ("dont_know", "galaxy-type", "dont-know"),
    ):  # fmt: skip
        put_answer(votes, labels == label, schema, name, answer)
    # Galaxy Zoo 2 often calls the same galaxies smooth and cigar-shaped, and then does not ask.
    put_answer(votes, labels == "edge_on", schema, "disk-edge-on", "yes", alone=True)
    return votes


def decals_votes(table: Table, schema: Schema) -> Table:
    """Volunteers' votes of Galaxy Zoo DECaLS, on the questions whose answers are those of a schema's."""
    votes = no_votes(len(table), schema)
    for question in schema.questions:
        for campaign in ("gzd5", "gzd12"):
            total = f"{campaign}:{question.name}_total-votes"
            shares = [f"{campaign}:{question.name}_{answer}_fraction" for answer in question.answers]
            if {total, *shares} <= set(table.colnames):
                for column, share in zip(question.columns, shares, strict=True):
                    counts = np.ma.filled(table[share] * table[total], np.nan).astype(float)
                    votes[column] = np.where(np.isfinite(counts), counts, votes[column])
    return votes


def catalogue_votes(types: Table, schema: Schema) -> Table:
    """Votes from Hubble types and EFIGI attributes, NaN where the catalogues do not answer clearly."""
    votes = no_votes(len(types), schema)
    kind = np.array([str(each) for each in np.ma.filled(types["hubble_type"].astype(str), "")])
    ratio = np.ma.filled(types["minor_axis_arcmin"] / types["major_axis_arcmin"], np.nan).astype(float)
    efigi = {
        name: np.ma.filled(types[f"efigi_{name}"].astype(float), np.nan)
        for name in ("T", "Bar_Length", "Arm_Strength", "Inner_Ring", "Outer_Ring", "Pseudo_Ring")
    }
    rings = np.max([efigi[f"{where}_Ring"] for where in ("Inner", "Outer", "Pseudo")], axis=0)
    seen, disk = ratio > FACE_ON, efigi["T"] >= 0
    put_answer(votes, kind == "E", schema, "smooth-or-featured", "smooth")
    barred = np.array([bool(re.fullmatch(r"SB[abcdm]*", each)) for each in kind])
    put_answer(votes, seen & (barred | (efigi["Bar_Length"] >= 0.5)), schema, "bar", "yes")
    put_answer(votes, seen & disk & (efigi["Bar_Length"] == 0), schema, "bar", "no")
    put_answer(votes, seen & (efigi["Arm_Strength"] >= 0.5), schema, "has-spiral-arms", "yes")
    put_answer(votes, seen & (rings >= 0.75), schema, "ring", "yes")
    put_answer(votes, seen & disk & (rings == 0), schema, "ring", "no")
    return votes


def further_galaxies(work: Path, schema: Schema) -> Table:
    """Galaxies of other sets with their votes: column ``file_loc``, ``set``, and those of the schema."""
    examples = read_set("more/zoo_examples", work)
    examples = examples[np.array(examples["label_checked"] != "no")]
    tutorial = read_set("decals_tutorial", work)
    answers = _read("decals_tutorial_answers")
    voted = read_set("more/decals_gzd_votes", work)
    voted = voted[[not str(each).startswith("auto") for each in voted["vote_table"]]]
    gallery, types = read_set("decals_gallery", work), _read("decals_gallery_types")
    kept = ~np.isin(gallery["id"], NO_GALAXIES)
    parts = [
        ("examples", examples, worded_votes(examples["question"], examples["answer"], schema)),
        ("tutorial", tutorial, worded_votes(answers["question"], answers["answer"], schema)),
        ("votes", voted, decals_votes(voted, schema)),
        ("gallery", gallery[kept], catalogue_votes(types[kept], schema)),
    ]
    files = [file for _, table, _ in parts for file in table["file_loc"]]
    sets = [name for name, table, _ in parts for _ in range(len(table))]
    columns = {column: np.concatenate([votes[column] for *_, votes in parts]) for column in schema.columns}
    result = Table({"file_loc": files, "set": sets, **columns})
    return result[[any(np.isfinite(list(row)[2:])) for row in result.iterrows()]]


def _read(name: str) -> Table:
    """A table of the folder of further data; ``NaN`` for missing numbers, empty for missing words."""
    table = Table.read(data_folder() / "more" / f"{name}.csv", format="ascii.csv")
    for column in table.colnames:
        kind, filled = (float, np.nan) if table[column].dtype.kind in "if" else (str, "")
        table[column] = np.ma.filled(np.ma.asarray(table[column]).astype(kind), filled)
    return table
