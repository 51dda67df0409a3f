"""Processes that tests start together."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable


def at_once(code: str, arguments: Iterable[str]) -> list[str]:
    """A process for each argument, all let go at the same moment; what each printed then, once all ended well.

    :param code: Python that prints ``ready``, waits for a line and goes on; its argument is ``sys.argv[1]``.
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, argument],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for argument in arguments
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ends = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), ends
    return [printed for printed, _ in ends]
