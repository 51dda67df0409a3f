"""What is known of sources: switched off or on, and what was turned away."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import sources
from airflow_outreach_provider.store.inbox.sources import Refusal, SourceStatus


def test_a_source_is_on_until_it_is_switched_off(store: Store) -> None:
    """Switching twice changes nothing, and says so; by whom and why is kept while it is off."""
    assert sources.disabled(store) == frozenset()
    assert sources.disable(store, "varda", reason="moving", by="ada")
    assert not sources.disable(store, "varda", reason="other", by="vic")
    status = sources.statuses(store)["varda"]
    assert (status.disabled_reason, status.disabled_by) == ("moving", "ada")
    assert sources.disabled(store) == {"varda"}
    assert sources.enable(store, "varda")
    assert not sources.enable(store, "varda")
    assert not sources.enable(store, "never seen")
    assert sources.disabled(store) == frozenset()
    assert sources.statuses(store)["varda"].disabled_reason == ""


def test_refusals_add_up(store: Store) -> None:
    """Many processes write what they turned away: nothing is lost, the last reason is shown."""

    def note(n: int) -> None:
        sources.note_refusals(store, {"a": Refusal(2, 401, f"reason {n}"), "b": Refusal(1, 413, "too long")})

    threads = [threading.Thread(target=note, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    known = sources.statuses(store)
    assert (known["a"].refused, known["b"].refused) == (16, 8)
    assert (known["b"].refused_status, known["b"].refused_reason) == (413, "too long")
    assert known["a"].refused_at is not None


def test_refusals_are_an_alarm_after_ten_minutes_without_an_event() -> None:
    """A forgery between two real events is none; nothing but refusals is one at once."""
    good = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    for minutes, alarm in ((-1, False), (9, False), (10, True)):
        status = SourceStatus("varda", refused=1, refused_at=good + timedelta(minutes=minutes))
        assert status.is_refusing(good) is alarm
        assert status.is_refusing(None)
    assert not SourceStatus("varda").is_refusing(None)
