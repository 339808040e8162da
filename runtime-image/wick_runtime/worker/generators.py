"""Random generators of a process that is forked: each copy would go on with the same numbers.

Python reseeds the functions of `random` by itself, and `secrets`, `uuid.uuid4` and `ssl` ask the kernel. Reseeded here
are all other instances of `random.Random`, NumPy's global state, and every bit generator of NumPy. What lies in other
native libraries cannot be found; `os.register_at_fork` is for those.
"""

import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

from wick_runtime.run.heap import tracked


class Generators(NamedTuple):
    """Those that one process had when it was about to be forked."""

    python: tuple[Any, ...] = ()
    """Of `random.Random`."""
    numpy: tuple[Any, ...] = ()
    """Of `numpy.random.BitGenerator`."""


def find(frozen: int) -> Generators:
    """All that the garbage collector knows; costs a millisecond for 20,000 objects where `random` is loaded.

    `frozen` as in `heap.tracked`.
    """
    base = getattr(sys.modules.get("_random"), "Random", None) if "random" in sys.modules else None
    bits = getattr(sys.modules.get("numpy.random"), "BitGenerator", None)
    if base is None and bits is None:
        return Generators()
    objects = tracked(frozen)
    types = set(map(type, objects))  # not `isinstance`: a proxy may run code of the function's to say what it is
    python, numpy = (_of(objects, types, kind) for kind in (base, bits))
    state = getattr(sys.modules.get("numpy.random.mtrand"), "_rand", None)
    if state is not None:  # not collected: a C object with no way to a cycle
        numpy.append(state._bit_generator)  # noqa: SLF001 - what `numpy.random.seed` seeds
    return Generators(tuple(python), tuple(numpy))


def _of(objects: list[Any], types: set[type], kind: type | None) -> list[Any]:
    wanted = {each for each in types if kind is not None and issubclass(each, kind)}
    return [each for each in objects if type(each) in wanted] if wanted else []


def reseed(generators: Generators) -> None:
    """Give each a seed of its own; one that refuses is named in the log."""
    _each(generators.python, lambda one: one.seed())
    _each(generators.numpy, _fresh)


def _fresh(bits: Any) -> None:
    bits.state = type(bits)().state


def _each(found: Iterable[Any], act: Any) -> None:
    for one in found:
        try:
            act(one)
        except Exception as error:  # noqa: BLE001 - a class of the function's own
            name = type(one).__qualname__
            sys.stderr.write(f"wick_runtime: {name} cannot be reseeded, and repeats in every process: {error}\n")
