"""Pictures of the pages for README and documentation: the demo in a real Airflow, light, 1,400 pixels wide, few colours.

python .ci/screenshots.py        # some minutes; writes airflow_outreach_provider/docs/images/*.png
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from airflow_outreach_provider.demo.airflow import free_port

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "airflow_outreach_provider" / "docs" / "images"
WIDTH, HEIGHT = 1400, 860
COLOURS = 256
MOST_BYTES = 1_500_000
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]


@contextmanager
def running_demo() -> Iterator[str]:
    """``make up`` in a folder of its own. :return: the address of its Airflow."""
    port = free_port()
    with tempfile.TemporaryDirectory() as home:
        command = [
            sys.executable,
            "-m",
            "airflow_outreach_provider.demo",
            "up",
            "--home",
            home,
            "--port",
            str(port),
        ]
        demo = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own command
        try:
            assert demo.stdout is not None
            for line in demo.stdout:
                print(line, end="", flush=True)
                if "Ctrl-C ends everything" in line:
                    break
            else:
                sys.exit("the demo ended before there was anything to see")
            yield f"http://127.0.0.1:{port}"
        finally:
            demo.send_signal(signal.SIGTERM)
            demo.wait(60)


def main() -> None:
    """Take them all."""
    with running_demo() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        context = browser.new_context(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", locale="en-GB"
        )
        page = context.new_page()
        page.goto(f"{url}/")  # everybody may do everything in the demo; this is the log-in
        page.wait_for_url(lambda where: "/login" not in where)

        page.goto(f"{url}/plugin/outreach")
        page.frame_locator("iframe").get_by_role("link", name="Overview").click()
        page.frame_locator("iframe").get_by_role("heading", name="Overview").wait_for()
        keep(page, "overview")
        tried = [each for each in found(page, url, "deliveries") if each["tries"] > 1]
        for name, path in {
            "leads": "leads", "delivery": f"deliveries/{tried[0]['id']}", "sources": "connections",
        }.items():  # fmt: skip
            page.goto(f"{url}/outreach/{path}")
            page.locator("h1").wait_for()
            keep(page, name)
        task = tried[0]["task"]
        page.goto(
            f"{url}/dags/{task['dag_id']}/runs/{task['run_id']}/tasks/{task['task_id']}/mapped/{task['map_index']}"
        )
        page.locator("a[href*='outreach-task']").click()
        page.frame_locator("iframe").locator("main h1").wait_for()
        keep(page, "task")
        browser.close()
    size = sum(path.stat().st_size for path in FOLDER.glob("*.png"))
    print(f"{size:,} bytes")
    if size > MOST_BYTES:
        sys.exit(f"more than {MOST_BYTES:,}: fewer colours or pictures")


def found(page: Any, url: str, what: str) -> list[dict[str, Any]]:
    """Rows of our JSON API, asked as the browser would."""
    answer = page.request.get(f"{url}/outreach/api/{what}")
    rows: list[dict[str, Any]] = json.loads(answer.text())["rows"]
    return rows


def keep(page: Any, name: str) -> None:
    """What the window shows, in few colours."""
    page.wait_for_timeout(1500)  # fonts, charts, Airflow's own loading
    shown = Image.open(BytesIO(page.screenshot())).convert("RGB")
    footer = page.locator("body > footer").bounding_box() if page.locator("body > footer").count() else None
    if footer:  # no more of the window than the page fills
        shown = shown.crop((0, 0, WIDTH, min(HEIGHT, round(footer["y"] + footer["height"]))))
    shown.quantize(COLOURS, dither=Image.Dither.NONE).save(FOLDER / f"{name}.png", optimize=True)
    print(f"{name}.png", flush=True)


if __name__ == "__main__":
    main()
