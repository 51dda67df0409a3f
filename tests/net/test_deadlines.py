"""One time limit for many requests at once."""

from __future__ import annotations

import asyncio
import time

import pytest

from airflow_outreach_provider.net.deadlines import Deadlines


@pytest.mark.slow
def test_a_block_that_takes_too_long_ends_with_a_timeout() -> None:
    """Within a twentieth of the limit, and only the block: the task goes on."""

    async def main() -> float:
        deadlines = Deadlines(0.2)
        started = time.monotonic()
        with pytest.raises(TimeoutError), deadlines.block():
            await asyncio.sleep(10)
        took = time.monotonic() - started
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        return took

    assert 0.19 < asyncio.run(main()) < 1


@pytest.mark.slow
def test_each_block_has_its_own_limit() -> None:
    """Many at once, begun at different times; the quick ones are left alone."""

    async def one(deadlines: Deadlines, seconds: float) -> bool:
        try:
            with deadlines.block():
                await asyncio.sleep(seconds)
        except TimeoutError:
            return False
        return True

    async def main() -> list[bool]:
        deadlines = Deadlines(0.3)
        first = [asyncio.create_task(one(deadlines, s)) for s in (0.01, 5, 0.02)]
        await asyncio.sleep(0.2)
        later = [asyncio.create_task(one(deadlines, s)) for s in (0.2, 5)]
        return list(await asyncio.gather(*first, *later))

    assert asyncio.run(main()) == [True, False, True, True, False]


def test_a_cancelled_task_stays_cancelled() -> None:
    """A cancellation from outside is not taken for the time limit."""

    async def main() -> None:
        deadlines = Deadlines(5)

        async def work() -> None:
            with deadlines.block():
                await asyncio.sleep(10)

        task = asyncio.create_task(work())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        deadlines.close()

    asyncio.run(main())
