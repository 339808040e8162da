"""Several processes seen as one."""

from hypothesis import given
from hypothesis import strategies as st

from wick_router.admin.decisions import merge

HEAD = "# HELP a_total words\n# TYPE a_total counter\n"
GAUGE = "# HELP g words\n# TYPE g gauge\n"


def page(a, g):
    return f'{HEAD}a_total{{x="y z"}} {a}\n{GAUGE}g {g}\n'


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 100)), min_size=1))
def test_pages_add_up_series_by_series(values):
    assert merge.Sum().page(page(a, g) for a, g in values) == page(sum(a for a, _ in values), sum(g for _, g in values))


def test_counters_of_an_ended_process_stay_and_its_gauges_go():
    total = merge.Sum()
    total.keep([page(5, 3), page(4, 2)])
    assert total.page([page(2, 1)]) == page(7, 1)
    assert total.page([page(2, 1).partition(GAUGE)[0]], ["a_total"]) == page(7, 1).partition(GAUGE)[0]


def test_a_histogram_stays_together_under_its_head():
    text = '# HELP h words\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 2\nh_count 1\n'
    assert merge.Sum().page([text, text]) == text.replace(" 1\n", " 2\n").replace("h_sum 2", "h_sum 4")


def told(state, **more):
    base = {"namespace": "n", "name": "f", "state": state, "why": state, "instances": [], "lastColdStart": None}
    return base | {"inFlight": 0, "queued": 0, "coldStarts": 0, "fallbacks": {}} | more


def test_functions_have_the_most_alive_state_and_the_sum_of_loads():
    instance = {"id": "a", "ready": False, "inFlight": 2}
    merged = merge.functions(
        [
            [told("idle", queued=1, fallbacks={"empty": 1, "shape": 2}, instances=[instance])],
            [
                told(
                    "ready",
                    inFlight=3,
                    fallbacks={"empty": 3},
                    instances=[{**instance, "ready": True}, {**instance, "id": "b"}],
                )
            ],
        ]
    )
    assert (merged[0]["state"], merged[0]["queued"], merged[0]["inFlight"]) == ("ready", 1, 3)
    assert merged[0]["fallbacks"] == {"empty": 4, "shape": 2}
    assert [(each["id"], each["ready"], each["inFlight"]) for each in merged[0]["instances"]] == [
        ("a", True, 4),
        ("b", False, 2),
    ]


def test_the_last_cold_start_is_the_newest_of_all_processes():
    old, new = ({"milliseconds": ms, "path": "warm-pool", "ago": ago} for ms, ago in ((9.0, 60.0), (20.0, 1.0)))
    processes = [[told("idle", lastColdStart=each)] for each in (old, None, new)]
    assert merge.functions(processes)[0]["lastColdStart"] == new
