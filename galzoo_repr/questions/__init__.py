"""The question trees of Galaxy Zoo, and the columns of a table that hold volunteers' votes."""

from galzoo_repr.questions._question import Question
from galzoo_repr.questions._schema import Schema
from galzoo_repr.questions._schema_files import schema_names
from galzoo_repr.questions._vote_columns import (
    check_something_to_learn,
    votes_from_fractions,
    votes_from_table,
)

__all__ = [
    "Question",
    "Schema",
    "check_something_to_learn",
    "schema_names",
    "votes_from_fractions",
    "votes_from_table",
]
