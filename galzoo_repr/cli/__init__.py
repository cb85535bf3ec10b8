"""The commands of the package at the shell."""

from galzoo_repr.cli._anomalies import anomalies
from galzoo_repr.cli._app import app, main
from galzoo_repr.cli._cite import cite
from galzoo_repr.cli._columns import duplicates, external
from galzoo_repr.cli._compare import compare
from galzoo_repr.cli._finetuning import finetune, predict
from galzoo_repr.cli._info import info
from galzoo_repr.cli._look import look
from galzoo_repr.cli._parts import parts
from galzoo_repr.cli._push import push
from galzoo_repr.cli._simulation import demo, serve_survey
from galzoo_repr.cli._training import pretrain
from galzoo_repr.cli._verbs import embed, fetch, similar

__all__ = [
    "anomalies",
    "app",
    "cite",
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
    "parts",
    "predict",
    "pretrain",
    "push",
    "serve_survey",
    "similar",
]
