"""The verbs of the package at the shell."""

from galzoo_repr.cli._anomalies import anomalies
from galzoo_repr.cli._app import app, main
from galzoo_repr.cli._columns import duplicates, external
from galzoo_repr.cli._compare import compare
from galzoo_repr.cli._finetuning import finetune, predict
from galzoo_repr.cli._info import info
from galzoo_repr.cli._look import look
from galzoo_repr.cli._simulation import demo, serve_survey
from galzoo_repr.cli._training import pretrain
from galzoo_repr.cli._verbs import embed, fetch, similar

__all__ = [
    "anomalies",
    "app",
    "compare",
    "demo",
    "duplicates",
    "embed",
    "external",
    "fetch",
    "finetune",
    "info",
    "look",
    "main",
    "predict",
    "pretrain",
    "serve_survey",
    "similar",
]
