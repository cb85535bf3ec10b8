"""Settings of the documentation, on top of the ones that astropy's packages share."""

import os
from importlib.metadata import version as installed_version

from sphinx_astropy.conf.v3 import *  # noqa: F403
from sphinx_astropy.conf.v3 import exclude_patterns, extensions, intersphinx_mapping

project = "galzoo_repr"
author = "The galzoo_repr developers"
copyright = f"2026, {author}"  # noqa: A001
release = installed_version("galzoo_repr")
version = ".".join(release.split(".")[:2])

exclude_patterns += ["_build"]

# A page that astropy's toggle and configuration listing are not needed for builds faster without them.
extensions = [name for name in extensions if name not in {"sphinx_astropy.ext.intersphinx_toggle"}]

# Set DOCS_OFFLINE where the other projects' inventories cannot be fetched.
if os.environ.get("DOCS_OFFLINE"):
    intersphinx_mapping.clear()
else:
    for name in ("pythonloc", "h5py", "astropy.org"):
        intersphinx_mapping.pop(name, None)
    intersphinx_mapping["torch"] = ("https://docs.pytorch.org/docs/stable/", None)
    intersphinx_mapping["astroquery"] = ("https://astroquery.readthedocs.io/en/latest/", None)

# Every name of ours must resolve. Those of other projects depend on inventories that offline builds do without.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!galzoo_repr).*")]

numpydoc_xref_param_type = False
automodapi_inheritance_diagram = False
autodoc_typehints = "none"

html_title = f"galzoo_repr {version}"
html_theme_options = {"show_toc_level": 2}
html_static_path = []
