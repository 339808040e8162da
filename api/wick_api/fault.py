"""Where one function's trouble ends: each place that works for many functions catches what one of them brings out.

    border ("schedule", "route table", ...) --raises--> caught: logged, counted, a sentence kept for the status
                                            --passes--> the sentence is dropped

Only at such borders is every exception caught: what it is does not matter, the next function's turn does.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wick_api.names import Key

log = logging.getLogger(__name__)

_LONGEST = 300


class Faults:
    """What was caught; `changed` is told of a function whose sentence came or went, `count` of each border's name."""

    def __init__(
        self,
        changed: Callable[[Key], None] = lambda _key: None,
        count: Callable[[str], None] = lambda _border: None,
    ) -> None:
        self._changed, self._count = changed, count
        self.counts: Counter[str] = Counter()
        """By border."""
        self._sentences: dict[Key, dict[str, str]] = {}

    def caught(self, border: str, key: Key, error: Exception) -> str:
        """A function's trouble at a border; the sentence that tells of it."""
        self.counted(border, str(key), error)
        told = sentence(border, error)
        if self._sentences.setdefault(key, {}).get(border) != told:
            self._sentences[key][border] = told
            self._changed(key)
        return told

    def counted(self, border: str, what: str, error: Exception) -> None:
        """Trouble of what is no function, such as a pool or a pod: it has no status to tell it in."""
        log.error("%s: %s failed by a defect", what, border, exc_info=error, extra={"function": what})
        self.counts[border] += 1
        self._count(border)

    def passed(self, border: str, key: Key) -> None:
        """It went well; costs one look-up of nothing while nothing is amiss."""
        if key in self._sentences and self._sentences[key].pop(border, None) is not None:
            if not self._sentences[key]:
                del self._sentences[key]
            self._changed(key)

    def forget(self, key: Key) -> None:
        """The function is gone."""
        self._sentences.pop(key, None)

    def of(self, key: Key) -> str:
        """What to say of a function; empty while all is well."""
        return " ".join(self._sentences.get(key, {}).values())

    @contextmanager
    def aside(self, name: str, what: str) -> Iterator[None]:
        """Work for a thing among many that is no function."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a border, as below
            self.counted(name, what, error)

    @contextmanager
    def border(self, name: str, key: Key) -> Iterator[None]:
        """Work for one function among many."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a border: the other functions' turn comes whatever this one's was
            self.caught(name, key, error)
        else:
            self.passed(name, key)


def sentence(border: str, error: BaseException) -> str:
    """For a person: what failed, that it is Kubewick's own fault, and where to look."""
    try:
        said = " ".join(str(error).split())[:_LONGEST]
    except Exception:  # noqa: BLE001 - an exception of somebody's own, whose text fails too
        said = ""
    what = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return f"Kubewick failed at this Function by a defect of its own ({border}): {what}. Its log has the traceback."
