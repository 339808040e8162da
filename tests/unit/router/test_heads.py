"""Heads as the router writes them."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wick_router.http import heads

DIGITS = b"0123456789abcdef" * 3


@pytest.mark.parametrize("host", [b"", b"a", b"a.b-c_d:80", b"[::1]:8080", b"127.0.0.1", b"a:"])
def test_hosts_that_are_names_or_addresses_pass(host):
    assert heads.legal_host(host)


@given(st.binary(max_size=20))
def test_a_legal_host_can_never_end_a_line_or_a_quoted_string(host):
    if heads.legal_host(host):
        assert not set(host) & set(b'\r\n\0"\\/@ ,;')


@given(st.one_of(st.none(), st.binary(max_size=200)), st.one_of(st.none(), st.binary(max_size=80)))
def test_an_identity_is_always_well_formed(request_id, traceparent):
    told, trace = heads.identity(request_id, traceparent, DIGITS)
    assert 1 <= len(told) <= 128
    assert all(0x21 <= byte <= 0x7E for byte in told)
    assert trace == traceparent or trace == b"00-" + DIGITS[:32] + b"-" + DIGITS[32:] + b"-00"


def test_a_clients_identity_is_kept_where_it_is_well_formed():
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert heads.identity(b"mine", trace, DIGITS) == (b"mine", trace)
    assert heads.identity(None, None, DIGITS)[0] in heads.identity(None, None, DIGITS)[1]


def test_strangers_words_about_who_asked_are_replaced_and_a_proxys_continued():
    earlier = {b"x-forwarded-for": b"1.2.3.4", b"x-forwarded-proto": b"https", b"forwarded": b"for=1.2.3.4"}
    strange = heads.forwarded("10.0.0.9", b"http", b"a", None)
    known = heads.forwarded("10.0.0.9", b"http", b"a", earlier)
    assert b"X-Forwarded-For: 10.0.0.9\r\n" in strange
    assert b"X-Forwarded-For: 1.2.3.4, 10.0.0.9\r\nX-Forwarded-Proto: https\r\n" in known
    assert b'Forwarded: for=1.2.3.4, for=10.0.0.9;host="a";proto=http\r\n' in known
    assert b'for="[::1]"' in heads.forwarded("::1", b"http", b"a", None)


def test_only_configured_peers_are_trusted():
    networks = (ip_network("10.0.0.0/8"),)
    assert heads.trusted("10.1.2.3", networks)
    assert not heads.trusted("192.168.0.1", networks)
    assert not heads.trusted("10.1.2.3", ())
    assert not heads.trusted("", networks)


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        (b"http://a.b/c?d", (b"a.b", b"/c?d")),
        (b"HTTPS://a.b:1", (b"a.b:1", b"/")),
        (b"http://a.b?x", (b"a.b", b"/?x")),
        (b"ftp://a.b/", None),
        (b"*", None),
    ],
)
def test_absolute_targets_are_split(target, wanted):
    assert heads.split_absolute(target) == wanted


def test_trailers_that_would_change_what_is_decided_are_dropped():
    fields = [(b"X-Sum", b"1"), (b"Content-Length", b"2"), (b"Kubewick-Attempt", b"3"), (b"Authorization", b"4")]
    assert heads.trailer_lines(fields) == b"X-Sum: 1\r\n"


@given(st.lists(st.tuples(st.text(), st.floats(0, 1e6)), max_size=4))
def test_server_timing_has_only_tokens_whatever_the_phases_are_called(phases):
    value = heads.server_timing(phases)
    assert value.count(b";dur=") == len(phases)
    assert not set(value) & set(b'\r\n"')


def test_who_asked_is_told_in_four_lines_to_the_byte():
    assert heads.forwarded("", b"https", b"a.b:1", None) == (
        b"X-Forwarded-For: unknown\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.b:1\r\n"
        b'Forwarded: for=unknown;host="a.b:1";proto=https\r\n'
    )
    assert heads.forwarded("::1", b"http", b"a", {b"x-forwarded-host": b"shop.example"}) == (
        b"X-Forwarded-For: ::1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: shop.example\r\n"
        b'Forwarded: for="[::1]";host="a";proto=http\r\n'
    )


def test_a_list_s_members_are_read_whatever_their_case_and_white_space():
    assert heads.tokens(b"Keep-Alive,\tX-Secret , ,close") == [b"keep-alive", b"x-secret", b"close"]
    assert heads.tokens(None) == heads.tokens(b"") == []


def test_fields_of_one_connection_alone_are_left_out_by_their_whole_name():
    lines = [b"X-Secret: a:b\r\n", b"X-Secrets: x-secret\r\n", b"X-Kept: 1\r\n"]
    assert heads.without(lines, [b"x-secret"]) == lines[1:]


def test_trailers_that_pass_follow_one_another():
    assert heads.trailer_lines([(b"A", b"1"), (b"Kubewick-X", b"2"), (b"B", b"3")]) == b"A: 1\r\nB: 3\r\n"
