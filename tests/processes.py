"""Processes that tests start together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple


class _Ended(NamedTuple):
    printed: str
    code: int


def at_once(code: str, arguments: Iterable[str]) -> list[str]:
    """A process for each argument, all let go at the same moment; what each printed then, once all ended well.

    What the code imports is imported once: the processes are forked from one that has done so, and stays.

    :param code: Python that prints ``ready``, waits for a line and goes on; its argument is ``sys.argv[1]``.
    """
    forking = _forking()
    assert forking.stdin is not None and forking.stdout is not None
    print(json.dumps([code, list(arguments), dict(os.environ)]), file=forking.stdin, flush=True)
    told = forking.stdout.readline()
    if not told:
        _forking.cache_clear()
    assert told, "the process that forks has ended; its error is above"
    ended = [_Ended(*each) for each in json.loads(told)]
    assert {each.code for each in ended} == {0}, "a process has failed; its error is above"
    return [each.printed for each in ended]


@cache
def _forking() -> subprocess.Popen[str]:
    """It ends with this process, which its requests come from."""
    return subprocess.Popen(
        [sys.executable, "-c", _FORKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


_FORKING = """
import ast, json, os, sys, traceback

def run(code, argument, environment):
    sys.argv, ended = ["-c", argument], 1
    os.environ.clear()
    os.environ.update(environment)
    try:
        exec(compile(code, "at once", "exec"), {"__name__": "__main__"})
        sys.stdout.flush()
        ended = 0
    except BaseException:
        traceback.print_exc()
    os._exit(ended)

def begin(code, argument, environment):
    asked, ask = os.pipe()
    heard, say = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(asked, 0)
        os.dup2(say, 1)
        sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)
        run(code, argument, environment)
    os.close(asked)
    os.close(say)
    return pid, os.fdopen(ask, "w"), os.fdopen(heard)

def answer(code, arguments, environment):
    imports = [each for each in ast.parse(code).body if isinstance(each, (ast.Import, ast.ImportFrom))]
    exec(compile(ast.Module(imports, []), "imports", "exec"), {})
    processes = [begin(code, each, environment) for each in arguments]
    for _, _, heard in processes:
        assert heard.readline() == "ready\\n"
    for _, ask, _ in processes:
        ask.write("\\n")
        ask.flush()
    printed = [heard.read() for _, _, heard in processes]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid, _, _ in processes]
    return list(zip(printed, codes))

for request in sys.stdin:
    told = json.dumps(answer(*json.loads(request)))
    print(told, flush=True)
"""
