"""What an answer costs: our pages as somebody comes to them by Airflow's menu, every click counted."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

MOST = 3
"""Clicks from the first page to an answer."""


class Clicks:
    """Our pages in Airflow's frame, as somebody comes to them by the menu; every click and every search sent counts.

    Typing is free, and so is what is seen without either.
    """

    def __init__(self, world: Any, page: Any) -> None:
        self.page, self.count = page, 0
        page.goto(world.airflow.url + "/")
        page.get_by_text("Outreach", exact=True).first.click()
        page.wait_for_url("**/plugin/outreach**")
        self.frame = page.frame_locator("iframe")
        self.heading("Workflows")

    def heading(self, name: str) -> None:
        """Wait for the page of this heading."""
        self.frame.get_by_role("heading", name=name, level=1).first.wait_for()

    def click(self, what: Any) -> None:
        """One click."""
        self.count += 1
        what.click()

    def link(self, name: str) -> None:
        """A click on the link of this name."""
        self.click(self.frame.get_by_role("link", name=name, exact=True).first)

    def button(self, name: str) -> None:
        """A click on the button of this name."""
        self.click(self.frame.get_by_role("button", name=name, exact=True))

    def find(self, who: str) -> None:
        """Somebody types into the box of every page and sends it."""
        self.frame.get_by_label("Find a person").fill(who)
        self.button("Find")
        self.frame.get_by_role("heading", name="What holds").wait_for()

    def agree(self, says: str) -> None:
        """A click on the dialog's button, which must say this first."""
        dialog = self.frame.get_by_role("dialog")
        expect(dialog).to_contain_text(says)
        self.click(dialog.locator("#confirm-yes"))

    def done(self, says: str) -> None:
        """What the page says once it is done."""
        expect(self.frame.locator("#toast p").last).to_contain_text(says, timeout=30_000)

    @property
    def main(self) -> Any:
        return self.frame.locator("main")

    def said(self) -> str:
        """All that the page says."""
        return str(self.main.inner_text())
