"""Standard streams are whole text streams, `logging.basicConfig` counts, and long lines keep their beginning."""

import pytest

STREAMS = """
    import io, sys
    SEEN = []
    for stream, name in ((sys.stdout, "<stdout>"), (sys.stderr, "<stderr>")):
        assert isinstance(stream, io.TextIOBase)
        assert (stream.name, stream.mode, stream.encoding, stream.newlines) == (name, "w", "utf-8", None)
        assert stream.line_buffering in (True, False) and stream.errors and not stream.closed
        assert (stream.buffer.fileno(), stream.buffer.isatty(), stream.buffer.mode) == (stream.fileno(), False, "wb")
        assert stream.writable() and not stream.readable() and not stream.seekable()
        stream.reconfigure(line_buffering=True, encoding="utf-8", errors="replace")
        stream.close()
    assert sys.stdout.buffer.write("bytes of €".encode()[:-1]) == 11
    sys.stdout.buffer.write("€\\n".encode()[2:])
    sys.stdout.buffer.raw.write(b"raw" + bytes([10]))
    sys.stdout.writelines(["one ", "line", chr(10)])
    print("to", "stderr", file=sys.stderr, flush=True)
    wrapped = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8")
    wrapped.write("wrapped" + chr(10))
    wrapped.flush()
    del wrapped
    io.TextIOWrapper(sys.stdout.detach(), write_through=True).write("detached" + chr(10))
    try:
        sys.stdout.write(b"")
    except TypeError as error:
        print(error)
    print("no end", end="")
    def handle():
        print("unfinished", end="")
        print("of stderr", end="", file=sys.stderr)
"""


def test_libraries_find_every_member_of_a_text_stream(start, eventually):
    instance = start(STREAMS)
    assert instance.state() == "ready", instance.output
    instance.request()
    expected = [
        ("info", "bytes of €"),
        ("info", "raw"),
        ("info", "one line"),
        ("error", "to stderr"),
        ("info", "wrapped"),
        ("info", "detached"),
        ("info", "write() argument must be str, not bytes"),
        ("info", "unfinished"),
        ("error", "of stderr"),
    ]
    eventually(lambda: len(instance.lines) >= len(expected))
    assert [(line["level"], line["message"]) for line in instance.lines] == expected
    instance.stop()
    assert instance.lines[-1]["message"] == "no end"


LOG = "    log = logging.getLogger('a')\n    log.debug('d'); log.info('i'); log.warning('w %s', 1)\n"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("", [("info", "i"), ("warning", "w 1")]),
        ("logging.basicConfig(level=logging.DEBUG)", [("debug", "d"), ("info", "i"), ("warning", "w 1")]),
        ("logging.basicConfig(level='WARNING', format='%(name)s: %(message)s')", [("warning", "a: w 1")]),
        (
            "logging.basicConfig(level=30, format='{name}|{message}', style='{', stream=sys.stdout)",
            [("warning", "a|w 1")],
        ),
        ("logging.basicConfig(level=30); logging.basicConfig(level=10, format='no')", [("warning", "w 1")]),
        (
            "logging.basicConfig(level=30); logging.basicConfig(level=20, format='F %(message)s', force=True)",
            [("info", "F i"), ("warning", "F w 1")],
        ),
        (
            "logging.basicConfig(level=30, handlers=[logging.StreamHandler(sys.stdout)], format='H %(message)s')",
            [("info", "H w 1")],
        ),
        ("logging.basicConfig(level=30, filename='/dev/null')", []),
        (
            "try:\n    logging.basicConfig(nonsense=1)\nexcept ValueError:\n    pass",
            [("info", "i"), ("warning", "w 1")],
        ),
        (
            "logging.getLogger().addHandler(logging.NullHandler()); logging.basicConfig(level=50)",
            [("info", "i"), ("warning", "w 1")],
        ),
    ],
)
def test_the_first_basic_config_at_import_counts_as_in_any_program(start, call, expected):
    code = f"import logging, sys\n{call}\ndef handle():\n{LOG}    print('over')\n"
    instance = start(code)
    instance.request()
    said = [(line["level"], line["message"]) for line in instance.lines]
    assert said == [*expected, ("info", "over")]


@pytest.mark.parametrize(
    "say",
    [
        "print('x' * 100_000)",
        "[print('x' * 1000, end='') for _ in range(100)]; print()",
        "logging.warning('x' * 100_000)",
        "sys.stdout.buffer.write(b'x' * 100_000)",
    ],
)
def test_a_long_line_keeps_its_beginning_and_says_how_much_was_cut(start, say, eventually):
    instance = start(f"import logging, sys\ndef handle():\n    {say}\n")
    instance.request()
    (line,) = eventually(lambda: instance.lines)
    assert line["message"] == "x" * 65536 + "… (34464 characters cut)"
