"""The guides that messages, reports and notebooks refer to, and where they are published."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, metadata
from typing import NamedTuple

_PACKAGE = __name__.partition(".")[0]


def site() -> str:
    """Return the address of the documentation, with a slash at its end; "" if unknown.

    It is the environment variable ``SKLEARNLOSS_DOCS_URL``, such as that of a site built on
    one's own disk, or the address in the metadata of the release.
    """
    address = os.environ.get("SKLEARNLOSS_DOCS_URL", "").strip() or _published()
    return address and address.rstrip("/") + "/"


def _published() -> str:
    try:
        links = metadata(_PACKAGE).get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    named: dict[str, str] = dict(link.split(", ", 1) for link in links)
    return named.get("Documentation", "")


class Guide(NamedTuple):
    """A guide; as text, ``the guide 'My data'``, with its address if that is known."""

    title: str
    page: str

    @property
    def url(self) -> str:
        """Its address, or "" if unknown."""
        return site() and f"{site()}{self.page}.html"

    def __str__(self) -> str:
        return f"the guide '{self.title}'" + (f" ({self.url})" if self.url else "")


MY_DATA = Guide("My data", "how_to/my_data")
OWN_LOSS = Guide("Write your own loss in five lines", "how_to/write_your_own_loss")
NETWORKS = Guide("Your own network", "how_to/networks")
AUGMENTATION = Guide("Augmentation", "how_to/augmentation")
CALLBACKS = Guide("Callbacks, loggers and checkpoints", "how_to/callbacks")
BEST_MODEL = Guide("Masks of new images: using the best model", "how_to/using_the_best_model")
REPORT = Guide("Reading the report", "how_to/reading_the_report")
SEARCH = Guide("Which loss is best for my data?", "how_to/search")


class DocLinkMixin:
    """A link to the page of a class in scikit-learn's HTML boxes, where the site is known."""

    _doc_link_module = _PACKAGE

    @property
    def _doc_link_template(self) -> str:
        return site() and site() + "reference/generated/{page}.html"

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        name = type(self).__name__
        if name in sys.modules[_PACKAGE].__all__:
            return {"page": f"{_PACKAGE}.{name}"}
        package = type(self).__module__.partition("._")[0]
        return {"page": f"{package}.{name}"}
