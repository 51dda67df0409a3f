"""Where tests write: a folder in memory, where the machine has one."""

from __future__ import annotations

import os
import tempfile

_FOLDER = "/dev/shm"
_ROOM = 4 * 2**30


def temporary_folder() -> str:
    """The folder for temporary files of this process and those it starts: what ``TMPDIR`` says, or one in memory.

    What is written there waits for no disk; that a commit survives a power cut no test could show anyway.
    """
    if "TMPDIR" not in os.environ and _will_do():
        tempfile.tempdir = _FOLDER
    return tempfile.gettempdir()


def _will_do() -> bool:
    """It is there, has room for all that tests write, and programs may be run in it."""
    try:
        found = os.statvfs(_FOLDER)
    except OSError:
        return False
    runs_programs = not found.f_flag & os.ST_NOEXEC
    return runs_programs and os.access(_FOLDER, os.W_OK) and found.f_bavail * found.f_frsize > _ROOM
