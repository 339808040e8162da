"""Which traces are recorded, held to the SDK's own samplers; and what a trace tells the instance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import sampling

from wick_router.http import heads
from wick_router.http.trace_context import phases, sampler, traced

ids = st.integers(1, (1 << 128) - 1)
ratios = st.floats(0, 1)


def context(trace_id, flags):
    return b"00-%032x-%016x-%02x" % (trace_id, 7, flags)


def by_the_sdk(chosen, trace_id, flags):
    """What an SDK's sampler decides, with a remote parent where there are flags."""
    parent = None
    if flags is not None:
        caller = trace.SpanContext(trace_id, 7, is_remote=True, trace_flags=trace.TraceFlags(flags))
        parent = trace.set_span_in_context(trace.NonRecordingSpan(caller))
    return chosen.should_sample(parent, trace_id, "name").decision is sampling.Decision.RECORD_AND_SAMPLE


@given(ids, ratios, st.none() | st.integers(0, 3))
def test_every_sampler_decides_as_the_sdk_s_own(trace_id, ratio, flags):
    real = {
        "always_on": sampling.ALWAYS_ON,
        "always_off": sampling.ALWAYS_OFF,
        "traceidratio": sampling.TraceIdRatioBased(ratio),
        "parentbased_always_on": sampling.DEFAULT_ON,
        "parentbased_always_off": sampling.DEFAULT_OFF,
        "parentbased_traceidratio": sampling.ParentBased(sampling.TraceIdRatioBased(ratio)),
    }
    for name, chosen in real.items():
        ours = sampler(name, repr(ratio)).records(context(trace_id, flags or 0), given=flags is not None)
        assert ours == by_the_sdk(chosen, trace_id, flags), name


@pytest.mark.parametrize(
    ("name", "argument", "told"),
    [
        ("jaeger_remote", "", "OTEL_TRACES_SAMPLER: 'jaeger_remote' is none of always_on"),
        ("traceidratio", "1.1", "OTEL_TRACES_SAMPLER_ARG: '1.1' is no number from 0 to 1"),
        ("parentbased_traceidratio", "half", "OTEL_TRACES_SAMPLER_ARG: 'half'"),
        ("traceidratio", "nan", "OTEL_TRACES_SAMPLER_ARG: 'nan'"),
    ],
)
def test_a_sampler_that_cannot_be_read_is_told_with_its_variable(name, argument, told):
    with pytest.raises(ValueError, match=told):
        sampler(name, argument)


@given(ids, st.integers(0, 3), st.booleans(), st.booleans(), st.text("0123456789abcdef", min_size=32, max_size=32))
def test_the_instance_s_parent_is_the_call_in_the_caller_s_trace(trace_id, flags, told, recorded, digits):
    found = traced(context(trace_id, flags), digits.encode(), given=told, recorded=recorded)
    version, whole, parent, ends = found.traceparent.split(b"-")
    assert (version, int(whole, 16), parent, ends) == (b"00", trace_id, found.call_id, b"01" if recorded else b"00")
    assert found.parent_id == (b"%016x" % 7 if told else b"")
    assert found.span_id + found.call_id == digits.encode()


@given(st.lists(st.tuples(st.text("abz-_09", min_size=1), st.floats(0, 1e6)), max_size=5))
def test_phases_that_were_written_are_read(steps):
    read = phases(heads.server_timing(steps))
    assert [name for name, _ in read] == [name for name, _ in steps]
    assert [took for _, took in read] == pytest.approx([took for _, took in steps], abs=0.051)


def test_what_is_no_phase_is_left_out():
    assert phases(b"") == phases(b"a, b;desc=x, ;dur=1, c;dur=-1, d;dur=1e3") == []


def test_a_caller_s_decision_is_the_lowest_bit_of_two_hex_digits_whatever_follows():
    decided = {
        flags: sampler("parentbased_always_off", "").records(context(1, flags), given=True) for flags in range(256)
    }
    assert decided == {flags: bool(flags & 1) for flags in range(256)}
    assert sampler("parentbased_always_off", "").records(b"01" + context(1, 1)[2:] + b"-more", given=True)


def test_an_id_at_the_share_itself_is_not_recorded():
    half = sampler("traceidratio", "0.5")
    assert half.records(context((1 << 64) + (1 << 63) - 1, 0), given=False)
    assert not half.records(context((1 << 64) + (1 << 63), 0), given=False)


def test_an_unknown_sampler_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match=r"'sometimes' is none of always_on, always_off, traceidratio, parentbased_"):
        sampler("sometimes", "")
