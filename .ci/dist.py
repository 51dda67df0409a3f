"""Wheel and source archive in ``dist/``, and both tried in environments that have nothing but Airflow and them.

python .ci/dist.py          # some minutes; what Airflow needs comes from the package index
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
PACKAGE = "airflow_outreach_provider"

# Run in the clean environment, from an empty folder: what an Airflow there would meet.
TRY = """
import importlib, json, pkgutil
from importlib.metadata import distribution, version
import airflow_outreach_provider as package

names = [each.name for each in pkgutil.walk_packages(package.__path__, "airflow_outreach_provider.")]
skipped = ("airflow_outreach_provider.demo", "airflow_outreach_provider.simulator", "airflow_outreach_provider.store.migrations")
imported = [importlib.import_module(name).__name__ for name in names if not name.startswith(skipped) and not name.endswith("__main__")]
entries = distribution("airflow-provider-outreach").entry_points
(provider,) = entries.select(group="apache_airflow_provider")
(plugin,) = entries.select(group="airflow.plugins")
from airflow_outreach_provider.web import manual
print(json.dumps({
    "version": version("airflow-provider-outreach"), "modules": len(imported), "provider": provider.load()()["package-name"],
    "plugin": plugin.load().name, "pages": len([manual.manual_page(name) for name in manual.names()]), "from": package.__file__,
}))
"""


def main() -> None:
    """Build, look inside, install, try."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", str(DIST), str(ROOT))
    (wheel,) = DIST.glob("*.whl")
    (archive,) = DIST.glob("*.tar.gz")
    look_inside(wheel, archive)
    for built in (wheel, archive):
        try_out(built)
    print("\n".join(f"{path.relative_to(ROOT)}  {path.stat().st_size:,} bytes" for path in (wheel, archive)))


def look_inside(wheel: Path, archive: Path) -> None:
    """Whatever is no code has to be in both; nothing else may."""
    data = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / PACKAGE).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    ]
    with zipfile.ZipFile(wheel) as content:
        inside = set(content.namelist())
    check("the wheel has every file of the package", set(data) <= inside, sorted(set(data) - inside))
    stray = {name.partition("/")[0] for name in inside} - {PACKAGE}
    check("and nothing else", all(name.endswith(".dist-info") for name in stray), sorted(stray))
    with tarfile.open(archive) as content:
        names = {name.partition("/")[2] for name in content.getnames()}
    wanted = {*data, "README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "constraints.txt", "Makefile"}
    check("the source archive has what is built and tested", wanted <= names, sorted(wanted - names))


def try_out(built: Path) -> None:
    """Install it where nothing else is, and let Airflow find it."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        venv.create(home / "venv", with_pip=True)
        python = home / "venv" / "bin" / "python"
        constraints = ROOT / "constraints.txt"
        run(
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--constraint",
            str(constraints),
            str(built),
        )
        told = json.loads(run(str(python), "-c", TRY, home=home).splitlines()[-1])
        check(f"{built.name} is imported from there", str(home) in told["from"], told)
        check(
            "Airflow finds provider and plugin",
            told["provider"] == "airflow-provider-outreach" and told["plugin"] == "outreach",
            told,
        )
        check("its documentation is in it", told["pages"] > 10, told)
        said = run(str(home / "venv" / "bin" / "airflow"), "outreach", "--help", home=home)
        check("airflow outreach is a command", "leads" in said and "deliveries" in said, said)
        run(str(home / "venv" / "bin" / "airflow"), "outreach", "init", str(home / "dags"), home=home)
        linted = run(
            str(home / "venv" / "bin" / "airflow"),
            "outreach",
            "lint",
            str(home / "dags" / "workflows"),
            home=home,
        )
        check("and its first files are good", "no mistakes" in linted, linted)


def check(what: str, holds: bool, found: object) -> None:
    """Say it; end where it is not so."""
    print(f"  {'ok' if holds else 'NO'}  {what}", flush=True)
    if not holds:
        sys.exit(f"{found}")


def run(*command: str, home: Path | None = None) -> str:
    """What a command says; ends where it fails. :param home: AIRFLOW_HOME, and the folder it runs in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
    done = subprocess.run(  # noqa: S603 - our own commands
        command, cwd=home or ROOT, env=kept | ({"AIRFLOW_HOME": str(home), "COLUMNS": "200"} if home else {}),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
