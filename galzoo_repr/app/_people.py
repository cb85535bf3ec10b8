"""Labels of several people beside one another: a column for each, and how far they agree."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from astropy.table import Column, Table

from galzoo_repr._config import log
from galzoo_repr.app._mark_words import UNSURE
from galzoo_repr.catalogue import with_columns

__all__ = ["agreement_facts", "with_people"]

NAMELESS = "unnamed"
ByPerson = Mapping[str, Mapping[int, str]]
"""Labels by row, of each person by name."""


def with_people(table: Table, labelled: Mapping[str, ByPerson]) -> Table:
    """Add to a catalogue a column ``<column>_<person>`` for each person, of the columns that several have labelled."""
    columns = {}
    for column, people in labelled.items():
        given = {name: labels for name, labels in people.items() if labels}
        for name, labels in given.items() if len(given) > 1 else ():
            own = f"{column}_{name or NAMELESS}"
            if own in table.colnames:
                log.warning("the catalogue has a column %s, which labels of one person do not replace", own)
                continue
            texts = np.full(len(table), "", dtype=f"U{max(map(len, labels.values()))}")
            texts[list(labels)] = list(labels.values())
            about = f"Label given by {name or 'a person without a name'}; empty where there is none"
            columns[own] = Column(texts, description=about)
    return with_columns(table, columns, call="look", copy=False) if columns else table


def agreement_facts(people: ByPerson) -> list[list[str]]:
    """How much others have labelled and how far the first person agrees with each, as pairs of a name and a text."""
    (_, own), *others = people.items()
    facts = []
    for name, labels in others:
        if not labels:
            continue
        known = [row for row in own.keys() & labels.keys() if UNSURE not in (own[row], labels[row])]
        agreed = _agreement([own[row] for row in known], [labels[row] for row in known]) if known else ""
        facts.append([name or NAMELESS, f"{len(labels)} labelled{agreed}"])
    return facts


def _agreement(own: list[str], theirs: list[str]) -> str:
    """Cohen's kappa, 1 where all is the same and 0 for what chance gives; a share where all is one answer."""
    n = len(own)
    if len({*own, *theirs}) == 1:
        return f", all {n} shared alike"
    from sklearn.metrics import cohen_kappa_score

    kappa = cohen_kappa_score(own, theirs)
    return "" if math.isnan(kappa) else f", κ {kappa:.2f} on {n}"
