"""Which namespaces may use which hosts in their routes: the chart's `routes.hosts`, read and asked. Pure.

    {"shop": ["shop.example.com", "*.shop.example.com"], "tenant=blue,stage=prod": ["*.blue.example.com"]}

A key is a namespace's name or, with ``=`` in it, labels that a namespace must all have. A pattern is a host, ``*.`` and
a domain (every host below it, at any depth, not the domain itself), or ``*``: every host, and routes without a host.
Without any rule every namespace may use every host; with one, a namespace that no rule fits may use none.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_PATTERN = re.compile(rf"\*|(\*\.)?{_LABEL}(\.{_LABEL})*")
_NAMESPACE = re.compile(_LABEL)
_SELECTOR_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_SELECTOR_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")

EVERY = "*"


class Rule(NamedTuple):
    """Leave for one namespace, or for all that have some labels."""

    namespace: str
    """Empty: `labels` say which."""
    labels: tuple[tuple[str, str], ...]
    patterns: tuple[str, ...]


def parse_hosts(rules: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Read the mapping; `ValueError` names the key or the pattern that is wrong."""
    return tuple(_rule(who, patterns) for who, patterns in sorted(rules.items()) if patterns is not None)


def _rule(who: str, patterns: Any) -> Rule:
    if not isinstance(patterns, list):
        raise ValueError(f"{who}: must be a list of host patterns")  # noqa: TRY004 - as all bad settings
    for pattern in patterns:
        if not isinstance(pattern, str) or not _PATTERN.fullmatch(pattern):
            raise ValueError(f"{who}: {pattern!r} is neither a host in lower case, nor '*.' and a domain, nor '*'")
    if "=" not in who:
        if not _NAMESPACE.fullmatch(who):
            raise ValueError(f"{who!r} is neither a namespace nor labels, like tenant=blue")
        return Rule(who, (), tuple(patterns))
    labels = []
    for each in who.split(","):
        name, equals, value = each.strip().partition("=")
        if not equals or not _SELECTOR_KEY.fullmatch(name) or not _SELECTOR_VALUE.fullmatch(value):
            raise ValueError(f"{who!r}: {each!r} is no label; write name=value, with commas between several")
        labels.append((name, value))
    return Rule("", tuple(labels), tuple(patterns))


def by_label(rules: Sequence[Rule]) -> bool:
    """Whether one has to know the namespaces' labels."""
    return any(rule.labels for rule in rules)


def granted(rules: Sequence[Rule], namespace: str, labels: Mapping[str, str]) -> frozenset[str]:
    """The patterns that a namespace has leave for; labels that are not known yet grant nothing."""
    if not rules:
        return frozenset({EVERY})
    return frozenset(
        pattern
        for rule in rules
        if (rule.namespace == namespace if rule.namespace else all(labels.get(k) == v for k, v in rule.labels))
        for pattern in rule.patterns
    )


def any_host(patterns: frozenset[str], host: str) -> bool:
    """Whether one of the patterns covers a host; the empty one stands for every host."""
    if EVERY in patterns or host in patterns:
        return True
    labels = host.split(".")
    return any("*." + ".".join(labels[at:]) in patterns for at in range(1, len(labels)))
