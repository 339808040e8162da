"""Where a body ends (RFC 9112, 6 and 7): lengths, transfer codings, chunks, trailers.

Sources: the RFC's corner cases, public write-ups of request smuggling (CL.TE, TE.CL, TE.TE, CL.0), llhttp's own tests.
"""

from corpus.http.case import (
    GET,
    HELLO,
    HOST,
    SMUGGLED,
    Case,
    Request,
    chunked,
    get,
    post,
    posted,
    refused,
    served,
    unfinished,
)

TE = b"Transfer-Encoding: chunked"
_ENDS = b"0\r\n\r\n" + SMUGGLED


def _coding(value: bytes) -> Case:
    return refused(post(b"Transfer-Encoding:" + value, body=HELLO + SMUGGLED))


def _length(value: bytes) -> Case:
    return refused(post(b"Content-Length:" + value, body=b"hello" + SMUGGLED))


def _chunks(body: bytes) -> Case:
    return refused(chunked(body + SMUGGLED))


LENGTHS = {
    "length and chunked": refused(post(b"Content-Length: 6", TE, body=_ENDS)),
    "chunked and length": refused(post(TE, b"Content-Length: 6", body=_ENDS)),
    "two different lengths": refused(post(b"Content-Length: 5", b"Content-Length: 60", body=b"hello" + SMUGGLED)),
    "two equal lengths": refused(post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello")),
    "list of lengths": _length(b" 5, 5"),
    "list of different lengths": _length(b" 5, 60"),
    "negative length": _length(b" -5"),
    "signed length": _length(b" +5"),
    "hexadecimal length": _length(b" 0x5"),
    "fractional length": _length(b" 5.0"),
    "length with a word": _length(b" 5 bytes"),
    "length in two words": _length(b" 5 6"),
    "empty length": _length(b""),
    "length of white space": _length(b" \t "),
    "overflowing length": _length(b" 99999999999999999999999999"),
    "length with a tab inside": _length(b" 5\t6"),
    "underscored digits": _length(b" 1_0"),
    "length with NUL": _length(b" 5\x00"),
    "length in other digits": _length(b" \xd9\xa5"),
    "length with a no-break space behind": _length(b" 5\xa0"),
    "length with a space before the colon": refused(post(b"Content-Length : 5", body=b"hello")),
    "length on a folded line": refused(post(b"Content-Length:\r\n 5", body=b"hello")),
}
CODINGS = {
    "chunked twice": refused(post(TE, TE, body=HELLO)),
    "chunked twice in a list": _coding(b" chunked, chunked"),
    "chunked and identity": refused(post(TE, b"Transfer-Encoding: identity", body=HELLO)),
    "identity and chunked": refused(post(b"Transfer-Encoding: identity", TE, body=HELLO)),
    "coding xchunked": _coding(b" xchunked"),
    "coding chunkedx": _coding(b" chunkedx"),
    "coding in quotes": _coding(b' "chunked"'),
    "coding chunked, identity": _coding(b" chunked, identity"),
    "coding identity, chunked": _coding(b" identity, chunked"),
    "coding gzip, chunked": _coding(b" gzip, chunked"),
    "coding identity": _coding(b" identity"),
    "coding gzip": _coding(b" gzip"),
    "coding empty": _coding(b""),
    "coding with vertical tab": _coding(b"\x0bchunked"),
    "coding with form feed": _coding(b" chunked\x0c"),
    "coding with NUL": _coding(b" chunked\x00"),
    "coding with a tab inside": _coding(b" chun\tked"),
    "coding with parameter": _coding(b" chunked;q=1"),
    "coding after comma": _coding(b" , chunked"),
    "coding before comma": _coding(b" chunked,"),
    # Legal (RFC 9110, 5.6.3), and refused all the same: llhttp reads no tab here (`findings/llhttp-coding-tab.sh`).
    "coding with a tab behind": _coding(b" chunked\t"),
    "coding with a tab and a space behind": _coding(b" chunked\t "),
    "coding on a folded line": refused(post(b"Transfer-Encoding:\r\n chunked", body=HELLO + SMUGGLED)),
    "coding with a space before the colon": refused(post(b"Transfer-Encoding : chunked", body=HELLO + SMUGGLED)),
    "coding with a tab before the colon": refused(post(b"Transfer-Encoding\t: chunked", body=HELLO + SMUGGLED)),
    "coding on the folded line of another": refused(post(b"X: y\r\n Transfer-Encoding: chunked", body=HELLO)),
    "chunked in HTTP/1.0": refused(b"POST /x HTTP/1.0\r\n" + HOST + TE + b"\r\n\r\n" + HELLO + SMUGGLED),
}
CHUNKS = {
    "chunk of negative size": _chunks(b"-5\r\nhello\r\n0\r\n\r\n"),
    "chunk of signed size": _chunks(b"+5\r\nhello\r\n0\r\n\r\n"),
    "chunk of 0x size": _chunks(b"0x5\r\nhello\r\n0\r\n\r\n"),
    "chunk of no size": _chunks(b"\r\nhello\r\n0\r\n\r\n"),
    "chunk of a size that is no number": _chunks(b"zz\r\n\r\n"),
    "chunk of overflowing size": _chunks(b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    "chunk of overflowing size behind zeros": _chunks(b"0000fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    "chunk size with space before": _chunks(b" 5\r\nhello\r\n0\r\n\r\n"),
    "chunk size with space behind": _chunks(b"5 \r\nhello\r\n0\r\n\r\n"),
    "chunk size with tab behind": _chunks(b"5\t\r\nhello\r\n0\r\n\r\n"),
    "chunk size with space before its extension": _chunks(b"5 ;a\r\nhello\r\n0\r\n\r\n"),
    "chunk size with bare line feed": _chunks(b"5\nhello\r\n0\r\n\r\n"),
    "chunk size with bare carriage return": _chunks(b"5\rhello\r\n0\r\n\r\n"),
    "chunk data without line end": _chunks(b"5\r\nhello0\r\n\r\n"),
    "chunk data with bare line feed": _chunks(b"5\r\nhello\n0\r\n\r\n"),
    "chunk longer than its size": _chunks(b"3\r\nhello\r\n0\r\n\r\n"),
    "chunk shorter than its size": _chunks(b"7\r\nab\r\n0\r\n\r\n"),
    "chunk extension with line feed": _chunks(b"5;a=\nb\r\nhello\r\n0\r\n\r\n"),
    "chunk extension with carriage return": _chunks(b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    "chunk extension with NUL": _chunks(b"5;a=\x00\r\nhello\r\n0\r\n\r\n"),
    "chunk extension with open quotes": _chunks(b'5;a="b\r\nhello\r\n0\r\n\r\n'),
    "chunk extension with an escaped end of its quotes": _chunks(b'5;a="b\\"\r\nhello\r\n0\r\n\r\n'),
    "chunk extension of nothing": _chunks(b"5;\r\nhello\r\n0\r\n\r\n"),
    # Legal (RFC 9112, 7.1.1), and refused all the same, as llhttp does.
    "chunk extension with white space before its name": _chunks(b"5; a\r\nhello\r\n0\r\n\r\n"),
    "last chunk with bare line feeds": _chunks(b"5\r\nhello\r\n0\n\n"),
    "trailer with space before colon": _chunks(b"0\r\nX : y\r\n\r\n"),
    "trailer without a colon": _chunks(b"0\r\na b\r\n\r\n"),
    "trailer on a folded line": _chunks(b"0\r\nX: y\r\n z\r\n\r\n"),
    "length in the trailers": refused(chunked(b"0\r\nContent-Length: 5\r\n\r\nhello" + SMUGGLED)),
    "coding in the trailers": _chunks(b"0\r\nTransfer-Encoding: chunked\r\n\r\n"),
}
ACCEPTED = {
    "counted": served(post(b"Content-Length: 5", body=b"hello"), posted(b"hello")),
    "counted with leading zero": served(post(b"Content-Length: 05", body=b"hello"), posted(b"hello")),
    "counted as nothing": served(post(b"Content-Length: 0"), posted(b"")),
    "chunked": served(chunked(HELLO), posted(b"hello")),
    "chunked in capitals": served(post(b"TRANSFER-ENCODING: CHUNKED", body=HELLO), posted(b"hello")),
    "chunked as nothing": served(chunked(b"0\r\n\r\n") + GET, posted(b""), Request()),
    "chunk with extension": served(chunked(b"5;a=b\r\nhello\r\n0\r\n\r\n"), posted(b"hello")),
    "chunk with extension without value": served(chunked(b"5;a\r\nhello\r\n0\r\n\r\n"), posted(b"hello")),
    "chunk with quoted extension": served(chunked(b'5;a="b c"\r\nhello\r\n0\r\n\r\n'), posted(b"hello")),
    "chunk with quotes in a quoted extension": served(chunked(b'5;a="b\\"c"\r\nhello\r\n0\r\n\r\n'), posted(b"hello")),
    "chunk with extensions without names": served(chunked(b"5;;=b;a=\r\nhello\r\n0\r\n\r\n"), posted(b"hello")),
    "chunk with leading zeros": served(chunked(b"0005\r\nhello\r\n000\r\n\r\n") + GET, posted(b"hello"), Request()),
    "chunk with more zeros than digits": served(chunked(b"0" * 20 + b"5\r\nhello\r\n0\r\n\r\n"), posted(b"hello")),
    "chunk size in capitals": served(chunked(b"A\r\nhellohello\r\n0\r\n\r\n"), posted(b"hellohello")),
    "chunks of a byte": served(chunked(b"1\r\na\r\n" * 100 + b"0\r\n\r\n") + GET, posted(b"a" * 100), Request()),
    "trailer": served(chunked(b"5\r\nhello\r\n0\r\nX: y\r\n\r\n"), posted(b"hello")),
    "trailer that names a host": served(
        chunked(b"5\r\nhello\r\n0\r\nHost: other\r\n\r\n") + GET, posted(b"hello"), Request()
    ),
    "body that looks like a request": served(
        post(b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED) + GET, posted(SMUGGLED), Request()
    ),
    "chunk that looks like a request": served(
        chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)) + GET, posted(SMUGGLED), Request()
    ),
    "GET with a body": served(get(b"Content-Length: 5") + b"hello" + GET, Request("GET", "/x", b"hello"), Request()),
    "half a body": unfinished(post(b"Content-Length: 10", body=b"abc")),
    "half a chunk": unfinished(chunked(b"5\r\nhe")),
}
CASES = {**LENGTHS, **CODINGS, **CHUNKS, **ACCEPTED}
