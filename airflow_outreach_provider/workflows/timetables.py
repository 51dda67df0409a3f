"""Airflow's ``@continuous``, which goes on where Airflow's own would stand still."""

from __future__ import annotations

from datetime import timedelta

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.simple import ContinuousTimetable as AirflowsContinuousTimetable

_A_MOMENT = timedelta(microseconds=1)


class ContinuousTimetable(AirflowsContinuousTimetable):
    """A run after the other, each from the end of the one before until now.

    The first run of a DAG without a ``start_date`` is about one moment, so the next begins at the same moment;
    and with the logical date of a run that exists, Airflow makes none, for ever. Here it begins a moment later:
    DAGs that stood still go on, and nobody has to delete a run.
    """

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        last = last_automated_data_interval
        if last is not None and last.start == last.end:
            last = DataInterval(last.start, last.end + _A_MOMENT)
        return super().next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
