"""Settings of the documentation, on top of the ones that astropy's packages share."""

import os
import re
from importlib.metadata import version as installed_version
from pathlib import Path

from docutils.nodes import Element
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx_astropy.conf.v3 import *  # noqa: F403
from sphinx_astropy.conf.v3 import exclude_patterns, extensions, intersphinx_mapping

import galzoo_repr

project = "galzoo_repr"
author = "The galzoo_repr developers"
copyright = f"2026, {author}"
release = installed_version("galzoo_repr")
version = ".".join(release.split(".")[:2])

exclude_patterns += ["_build", "tutorials/lessons"]

# A page that astropy's toggle and configuration listing are not needed for builds faster without them.
extensions = [name for name in extensions if name not in {"sphinx_astropy.ext.intersphinx_toggle"}]

# What the lessons fetch lies beside what is built, not in the cache of whoever builds.
galzoo_repr.conf.cache_dir = str(Path(__file__).parent / "_build" / "cache")

# The lessons are run as the pages are built, in the order of their names: the first leaves a file for the others.
extensions.append("sphinx_gallery.gen_gallery")
sphinx_gallery_conf = {
    "examples_dirs": "tutorials/lessons",
    "gallery_dirs": "tutorials/run",
    "filename_pattern": r"lesson_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "min_reported_time": 1e9,
    "show_memory": False,
    "write_computation_times": False,
    "download_all_examples": False,
    "remove_config_comments": True,
}

# Set DOCS_OFFLINE where the other projects' inventories cannot be fetched.
if os.environ.get("DOCS_OFFLINE"):
    intersphinx_mapping.clear()
else:
    for name in ("pythonloc", "h5py", "astropy.org"):
        intersphinx_mapping.pop(name, None)
    intersphinx_mapping["sklearn"] = ("https://scikit-learn.org/stable/", None)
    intersphinx_mapping["torch"] = ("https://docs.pytorch.org/docs/stable/", None)
    intersphinx_mapping["astroquery"] = ("https://astroquery.readthedocs.io/en/latest/", None)

# Every public name of ours must resolve. Those of other projects depend on inventories that offline builds do
# without, and a private base class has no page.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!galzoo_repr).*"), ("py:class", r"galzoo_repr(\.\w+)*\._\w+\.\w+")]

numpydoc_xref_param_type = False
automodapi_inheritance_diagram = False
autodoc_typehints = "none"

html_title = f"galzoo_repr {version}"
html_theme_options = {"show_toc_level": 2}
html_static_path = []


def _resolve_function(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element
) -> Element | None:
    """Let ``galzoo_repr.add_cutouts``, as users write it, lead to the page of the module that has it."""
    package, _, name = node.get("reftarget", "").rpartition(".")
    if package != "galzoo_repr" or name not in galzoo_repr._ROOM_OF:
        return None
    target = f"galzoo_repr.{galzoo_repr._ROOM_OF[name]}.{name}"
    domain = env.get_domain("py")
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", target, node, content)


def _shorten_routing(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Replace what scikit-learn writes about routing metadata, which refers to pages that only it has."""
    if re.search(r"\.(set_\w+_request|get_metadata_routing)$", name):
        lines[:] = ["Routing of metadata, as of every estimator of scikit-learn."]


def setup(app: Sphinx) -> None:
    """Register what sphinx is to ask."""
    app.connect("missing-reference", _resolve_function)
    app.connect("autodoc-process-docstring", _shorten_routing, priority=100)
