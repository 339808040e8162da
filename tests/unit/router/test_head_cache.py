"""Which answers are remembered by their heads, and for which they are taken again."""

from wick_router.http.head_cache import KNOWN_BYTES, KNOWN_HEADS, CachedHead, KnownHeads
from wick_router.http.histogram import Histogram

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
BODY = b"a\r\n\r\nb"
PLAIN = CachedHead(200, b"", [], len(BODY))


def test_the_same_head_with_as_much_body_is_known_and_nothing_else_is():
    known = KnownHeads()
    assert known.find(HEAD + BODY) is None
    known.remember(HEAD + BODY, PLAIN)
    assert known.find(HEAD + b"b\r\n\r\na") is PLAIN
    assert known.find(HEAD + BODY[:-1]) is None
    assert known.find(HEAD + BODY + b"x") is None
    assert known.find(HEAD.replace(b"200", b"201") + BODY) is None
    assert known.find(BODY + HEAD) is None
    known.clear()
    assert known.find(HEAD + BODY) is None


def test_what_is_not_whole_is_not_remembered():
    known = KnownHeads()
    for data in (HEAD, HEAD + BODY[:-1], HEAD + BODY + b"x"):
        known.remember(data, PLAIN)
    assert known.find(HEAD + BODY) is None


def test_a_head_has_a_longest_size():
    known, bare = KnownHeads(), b"HTTP/1.1 200 OK\r\nX: \r\n\r\n"
    for size, found in ((KNOWN_BYTES, PLAIN), (KNOWN_BYTES + 1, None)):
        head = bare.replace(b"X: ", b"X: " + b"x" * (size - len(bare)))
        known.remember(head + BODY, PLAIN)
        assert known.find(head + BODY) is found


def test_so_many_are_kept_and_no_more():
    known = KnownHeads()
    heads = [HEAD.replace(b"OK", b"%d" % number) + BODY for number in range(KNOWN_HEADS + 1)]
    for head in heads[:-1]:
        known.remember(head, PLAIN)
    assert all(known.find(head) is PLAIN for head in heads[:-1])
    known.remember(heads[-1], PLAIN)
    assert [head for head in heads if known.find(head)] == heads[-1:]


def test_a_histogram_has_a_bucket_for_each_bound_and_one_above():
    histogram = Histogram((1.0, 2.0))
    for seconds in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(seconds)
    assert (histogram.counts, histogram.sum, histogram.count) == ([2, 1, 1], 12.0, 4)
