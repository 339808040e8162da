"""The forecast is what was wanted at this time of both of the last two seasons."""

from hypothesis import given
from hypothesis import strategies as st

from wick_api.duration import Duration
from wick_api.scale import Prediction
from wick_autoscaler.decisions.prediction import Seasons

DAY, HOUR = 86_400, 3600
AHEAD = Prediction(season="day", ahead=Duration(600))


def days(*wants, prediction=AHEAD, since=DAY * 20_000):
    """Seasons that saw so many instances wanted at noon of each day, looked at each five minutes."""
    seasons = Seasons(prediction)
    for day, wanted in enumerate(wants):
        for second in range(0, DAY, 300):
            seasons.record(since + day * DAY + second, wanted if second == 12 * HOUR else 1)
    return seasons, since + len(wants) * DAY


def test_a_peak_that_came_twice_is_expected_a_little_ahead():
    seasons, today = days(8, 9)
    assert seasons.forecast(today + 12 * HOUR - 599) == 8
    assert seasons.forecast(today + 12 * HOUR) == 8
    assert seasons.forecast(today + 13 * HOUR) == 1


def test_a_single_burst_is_not_expected_again():
    seasons, today = days(1, 9)
    assert seasons.forecast(today + 12 * HOUR) == 1


def test_one_season_alone_is_no_pattern():
    seasons, today = days(9)
    assert seasons.forecast(today + 12 * HOUR) == 0


def test_a_peak_that_stopped_coming_is_forgotten():
    seasons, today = days(9, 9, 1)
    assert seasons.forecast(today + 12 * HOUR) == 1


def test_seasons_nobody_spoke_of_count_as_nothing():
    seasons, today = days(9, 9)
    assert seasons.forecast(today + 2 * DAY + 12 * HOUR) == 0


def test_an_edit_keeps_what_was_learned_unless_the_season_changes():
    seasons, today = days(9, 9)
    assert seasons.adjust(Prediction(season="day", ahead=Duration(60))).forecast(today + 12 * HOUR) == 9
    assert seasons.adjust(Prediction(season="hour")).forecast(today + 12 * HOUR) == 0


@given(
    st.sampled_from(["hour", "day", "week"]),
    st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 100_000)), max_size=60),
)
def test_it_never_expects_more_than_was_ever_wanted(season, readings):
    seasons, now, most = Seasons(Prediction(season=season)), 1e9, 0
    for step, wanted in readings:
        now, most = now + step, max(most, wanted)
        assert 0 <= seasons.forecast(now) <= most
        seasons.record(now, wanted)
