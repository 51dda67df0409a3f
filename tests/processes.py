"""Processes that tests start together."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from typing import NamedTuple


class _Ended(NamedTuple):
    printed: str
    code: int


def at_once(code: str, arguments: Iterable[str]) -> list[str]:
    """A process for each argument, all let go at the same moment; what each printed then, once all ended well.

    What the code imports is imported once: the processes are forked from one that has done so.

    :param code: Python that prints ``ready``, waits for a line and goes on; its argument is ``sys.argv[1]``.
    """
    done = subprocess.run(
        [sys.executable, "-c", _FORKING],
        input=json.dumps([code, list(arguments)]), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ended = [_Ended(*each) for each in json.loads(done.stdout.splitlines()[-1])]
    assert {each.code for each in ended} == {0}, done.stderr
    return [each.printed for each in ended]


_FORKING = """
import ast, json, os, sys, traceback

code, arguments = json.load(sys.stdin)
imports = [each for each in ast.parse(code).body if isinstance(each, (ast.Import, ast.ImportFrom))]
exec(compile(ast.Module(imports, []), "imports", "exec"), {})

def run(argument):
    sys.argv, ended = ["-c", argument], 1
    try:
        exec(compile(code, "at once", "exec"), {"__name__": "__main__"})
        sys.stdout.flush()
        ended = 0
    except BaseException:
        traceback.print_exc()
    os._exit(ended)

def begin(argument):
    asked, ask = os.pipe()
    heard, say = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(asked, 0)
        os.dup2(say, 1)
        sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)
        run(argument)
    os.close(asked)
    os.close(say)
    return pid, os.fdopen(ask, "w"), os.fdopen(heard)

processes = [begin(each) for each in arguments]
for _, _, heard in processes:
    assert heard.readline() == "ready\\n"
for _, ask, _ in processes:
    ask.write("\\n")
    ask.flush()
printed = [heard.read() for _, _, heard in processes]
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid, _, _ in processes]
print()
print(json.dumps(list(zip(printed, codes))))
"""
