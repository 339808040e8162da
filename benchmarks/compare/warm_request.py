"""The figures of `router/hotpath.py` with all their digits: microseconds, microseconds, milliseconds."""

from itertools import count, repeat

import hotpath
import uvloop

TURNS = 20
differing = (hotpath.RESPONSE.replace(b"nginx", b"%d" % number) for number in count())
alike, differ = (uvloop.run(hotpath.measure(TURNS, answers)) * 1e6 for answers in (repeat(hotpath.RESPONSE), differing))
print(alike, differ, uvloop.run(hotpath.measure_page())[0] * 1e3)
