"""What AWS's own runtime for Python takes as a handler's answer, by running it, and that ours takes the same."""

import json
import subprocess
import sys

import pytest

from wick_runtime.call.answer import Unsuitable
from wick_runtime.forms.lambda_json import encode

SETUP = """
import collections, dataclasses, datetime, enum, types, uuid
from decimal import Decimal
Pair = collections.namedtuple("Pair", "x y")
Number = enum.IntEnum("Number", "ONE")
Plain = enum.Enum("Plain", "ONE")
class Text(str, enum.Enum): A = "a"
class Dict(dict): pass
class Float(float):
    def __repr__(self): return "f"
@dataclasses.dataclass
class Data: x: int = 1
class AsDict:
    def _asdict(self): return {"a": 1}
class ForJson:
    def for_json(self): return 1
"""
REFUSED = None
TABLE = {
    "None": "null",
    "True": "true",
    "10**30": "1000000000000000000000000000000",
    "1e22": "1e+22",
    "-0.0": "-0.0",
    "'é'": '"é"',
    "'\\u2028\\x7f/'": '"\u2028\x7f/"',
    "'a\"\\\\\\n'": '"a\\"\\\\\\n"',
    "[b'x']": '["x"]',
    "[b'\\xff']": REFUSED,
    "[bytearray(b'x')]": REFUSED,
    "memoryview(b'x')": REFUSED,
    "(1, 'é')": '[1, "é"]',
    "Pair(1, [2])": '{"x": 1, "y": [2]}',
    "[AsDict()]": '[{"a": 1}]',
    "ForJson()": REFUSED,
    "Data()": REFUSED,
    "{1, 2}": REFUSED,
    "range(2)": REFUSED,
    "iter([1])": REFUSED,
    "{}.keys()": REFUSED,
    "collections.deque([1])": REFUSED,
    "collections.OrderedDict(b=1, a=2)": '{"b": 1, "a": 2}',
    "collections.ChainMap({})": REFUSED,
    "types.MappingProxyType({})": REFUSED,
    "Number.ONE": "1",
    "Text.A": '"a"',
    "Plain.ONE": REFUSED,
    "Dict(a=[Dict()])": '{"a": [{}]}',
    "Float(1.5)": "1.5",
    "Decimal('1.10')": "1.10",
    "[Decimal('1E+2'), Decimal('1E+400')]": "[1E+2, 1E+400]",
    "{'n': Decimal('12345678901234567890.123456789'), 't': 'é'}": '{"n": 12345678901234567890.123456789, "t": "é"}',
    "{1: 1, 1.5: 2, True: 3, None: 4, b'k': 5}": '{"1": 3, "1.5": 2, "null": 4, "k": 5}',
    "{1: 1, '1': 2}": '{"1": 1, "1": 2}',
    "{Text.A: 1, Number.ONE: 2}": '{"a": 1, "1": 2}',
    "{Plain.ONE: 1}": REFUSED,
    "{Decimal(1): 1}": REFUSED,
    "{(1,): 1}": REFUSED,
    "datetime.datetime(2026, 1, 1)": REFUSED,
    "uuid.UUID(int=0)": REFUSED,
    "1j": REFUSED,
    "ValueError('x')": REFUSED,
    "len": REFUSED,
    "[[], {}, ()]": "[[], {}, []]",
}
NO_JSON = {
    "float('nan')": "NaN",
    "[float('inf')]": "[Infinity]",
    "Decimal('-NaN')": "NaN",
    "[Decimal('Infinity')]": "[Infinity]",
    "{float('nan'): 1}": '{"NaN": 1}',
}
"""What AWS's encoder writes though no JSON parser need read it: ours says so (RFC 8259, section 6)."""
PROGRAM = """
import json, sys
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller
setup, expressions = json.load(sys.stdin)
exec(setup)
found = {}
for expression in expressions:
    try:
        found[expression] = LambdaMarshaller().marshal_response(eval(expression))[0]
    except Exception:
        found[expression] = None
json.dump(found, sys.stdout)
"""


def test_the_table_is_what_awslambdaric_does(libraries):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([SETUP, [*TABLE, *NO_JSON]]),
        env={"PYTHONPATH": str(libraries), "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == TABLE | NO_JSON


def value(expression):
    names = {}
    exec(SETUP, names)
    return eval(expression, names)


@pytest.mark.parametrize("expression", TABLE)
def test_ours_takes_and_refuses_the_same(expression):
    if TABLE[expression] is REFUSED:
        with pytest.raises(Unsuitable):
            encode(value(expression))
    else:
        assert encode(value(expression)).decode() == TABLE[expression]


@pytest.mark.parametrize("expression", NO_JSON)
def test_what_is_no_json_is_refused(expression):
    with pytest.raises(Unsuitable):
        encode(value(expression))


def test_a_value_that_contains_itself_is_refused():
    ring = {}
    ring["a"] = [ring]
    with pytest.raises(Unsuitable, match="contains itself"):
        encode(ring)
    same = [{"a": [1]}] * 2
    assert json.loads(encode([same, same])) == [same, same]


def test_a_nesting_without_end_is_refused():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Unsuitable):
        encode(deep)
