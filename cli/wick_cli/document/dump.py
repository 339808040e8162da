"""YAML that ``kubectl`` reads back as the same values: text that would be read as something else is quoted. Pure."""

import re
from typing import Any

import yaml

from wick_cli.document.scalar import plain

_STRING = "tag:yaml.org,2002:str"
_BREAKS = re.compile("[\r\x85\u2028\u2029]")
"""Ends of lines, beside the newline: only an escape keeps them."""


class _Dumper(yaml.SafeDumper):
    """PyYAML's, but for text; every value is written out."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if _BREAKS.search(text):
        return dumper.represent_scalar(_STRING, text, style='"')
    if "\n" in text:
        return dumper.represent_scalar(_STRING, text, style="|")
    quoted = not isinstance(plain(text), str) or text in ("=", "<<")
    return dumper.represent_scalar(_STRING, text, style="'" if quoted else None)


_Dumper.add_representer(str, _text)


def dump(value: Any) -> str:
    """Text of one document, without its last newline and a separator."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True).removesuffix("\n")
