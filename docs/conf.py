"""The configuration of the site: ``python -m sphinx -W docs docs/_build/html`` builds it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path[:0] = [str(DOCS / "_ext"), str(ROOT)]

# One thread per process: examples run in two processes, and the same bits come out everywhere.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("MPLBACKEND", "agg")

from sklearnloss import __version__  # noqa: E402

# -- the project ---------------------------------------------------------------------

project = "sklearnloss"
author = "The sklearnloss developers"
copyright = "The sklearnloss developers, BSD-3-Clause"
version = release = __version__

#: Where the site is published, with a slash at the end; a release sets it.
SITE = os.environ.get("SKLEARNLOSS_DOCS_URL", "")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxext.opengraph",
    "sphinx_llms_txt",
    "sphinxcontrib.mermaid",
    "docstrings",
    "repository_links",
    "loss_pages",
]
exclude_patterns = ["_build", "_ext", "_templates", "**/_*.md", "examples/**/*.md5"]
nitpicky = False

# -- Markdown ------------------------------------------------------------------------

myst_enable_extensions = ["amsmath", "attrs_block", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]

# -- reference -----------------------------------------------------------------------

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
templates_path = ["_templates"]
# Links to other projects need their inventories, which a build without a network lacks.
intersphinx_mapping: dict[str, tuple[str, None]] = {}

# -- gallery -------------------------------------------------------------------------

sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "examples"),
    "gallery_dirs": "examples",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "gallery_order.FirstExamplesFirst",
    "abort_on_example_error": True,
    "parallel": 2,
    "show_memory": False,
    "reset_modules_order": "both",
    "backreferences_dir": "reference/backreferences",
    "doc_module": ("sklearnloss",),
    "min_reported_time": 5,
    "write_computation_times": False,
    "download_all_examples": True,
    "show_signature": False,
}

# -- pages ---------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "sklearnloss"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_baseurl = SITE
html_show_sourcelink = False
html_search_scorer = str(DOCS / "_ext" / "search_scores.js")
html_theme_options = {
    "logo": {"text": "sklearnloss"},
    "header_links_before_dropdown": 7,
    "navbar_align": "left",
    "show_prev_next": True,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc", "sg_download_links"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "laboratory": [], "report_browser": [], "which_loss": []}
ogp_site_url = SITE
ogp_description_length = 200
ogp_social_cards = {"enable": False}
llms_txt_title = "sklearnloss"
llms_txt_summary = (
    "The loss function as a scikit-learn parameter, for image classification and segmentation."
)
