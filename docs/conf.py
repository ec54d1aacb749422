"""The documentation as a site: `pip install -e '.[docs]'`, then `sphinx-build -W -b html docs build/site`."""

from __future__ import annotations

from importlib import metadata

project = "Stepwell"
copyright = "the Stepwell authors"
release = metadata.version("stepwell")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
root_doc = "index"
exclude_patterns = ["_build"]

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "dollarmath"]
# Pages link to files of the repository, which are no pages, and show IR, whose language no highlighter knows.
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say what arguments are
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"Stepwell {release}"
