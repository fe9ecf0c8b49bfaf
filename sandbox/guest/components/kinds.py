"""All kinds. A module of this folder with a `KIND` is one; nothing else has to be told of it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from .kind import Kind


def _found() -> dict[str, Kind]:
    package = __package__ or ""
    names = sorted(module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__))
    modules = [importlib.import_module(f"{package}.{name}") for name in names if name != __name__.rpartition(".")[2]]
    kinds = [module.KIND for module in modules if hasattr(module, "KIND")]
    return {kind.name: kind for kind in kinds}


KINDS: Mapping[str, Kind] = MappingProxyType(_found())


def kind_named(word: str) -> Kind | None:
    """The kind that a person means by `word` ("Activation functions"), None when there is no such kind."""
    plain = " ".join(word.lower().replace("-", " ").replace("_", " ").split())
    for kind in KINDS.values():
        if plain in (kind.name, kind.title, kind.plural, *kind.synonyms):
            return kind
    return None
