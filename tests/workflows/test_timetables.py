"""``@continuous`` as workflows have it: a run after the other, whatever the runs before were about."""

from __future__ import annotations

from datetime import timedelta

import pendulum
import pytest
from airflow.timetables.base import DataInterval, TimeRestriction
from airflow.timetables.simple import ContinuousTimetable as AirflowsContinuousTimetable

from airflow_outreach_provider.workflows.timetables import ContinuousTimetable

FREE = TimeRestriction(earliest=None, latest=None, catchup=False)


def test_a_dag_that_stood_still_goes_on() -> None:
    """After a run about one moment comes one of a later logical date; Airflow's own would have the same again."""
    then = pendulum.now("UTC") - timedelta(days=3)
    stuck = DataInterval.exact(then)
    same = AirflowsContinuousTimetable().next_dagrun_info(
        last_automated_data_interval=stuck, restriction=FREE
    )
    assert same is not None
    assert same.logical_date == then, "if Airflow mends this, our timetable may go"
    info = ContinuousTimetable().next_dagrun_info(last_automated_data_interval=stuck, restriction=FREE)
    assert info is not None
    assert info.logical_date is not None
    assert then < info.logical_date < then + timedelta(seconds=1)
    again = ContinuousTimetable().next_dagrun_info(
        last_automated_data_interval=info.data_interval, restriction=FREE
    )
    assert again is not None
    assert again.data_interval.start == info.data_interval.end


@pytest.mark.parametrize("start", [None, pendulum.datetime(2025, 1, 1)])
def test_logical_dates_only_go_forward(start: pendulum.DateTime | None) -> None:
    """From the first run on, with a start date and without."""
    restriction = TimeRestriction(earliest=start, latest=None, catchup=False)
    last, dates = None, []
    for _ in range(5):
        info = ContinuousTimetable().next_dagrun_info(
            last_automated_data_interval=last, restriction=restriction
        )
        assert info is not None
        last = info.data_interval
        dates.append(info.logical_date)
    assert dates == sorted(set(dates))


def test_airflow_finds_it() -> None:
    """The plugin registers it: without that a scheduler could not read the DAG."""
    from airflow.serialization.decoders import decode_timetable
    from airflow.serialization.encoders import encode_timetable

    again = decode_timetable(encode_timetable(ContinuousTimetable()))
    assert isinstance(again, ContinuousTimetable)
    assert (again.summary, again.active_runs_limit) == ("@continuous", 1)
