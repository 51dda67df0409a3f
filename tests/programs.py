"""Programs that are not Python's, and that a machine may lack."""

from __future__ import annotations

import os
import shutil

import pytest


def needed(program: str, package: str) -> str:
    """Where a program is; without it the test is skipped with what to install, and fails in CI."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        advice = f"needs {program}: apt-get install --no-install-recommends {package}"
        if os.environ.get("CI"):
            pytest.fail(advice)
        pytest.skip(advice)
    return found
