"""A reader in a real browser, for the tests of the pages."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rag.text import compact

CHROMIUM = Path("/usr/bin/chromium")
ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE [::1]"]

needs_chromium = pytest.mark.skipif(
    not CHROMIUM.exists() and os.environ.get("CI") != "true", reason="chromium is not installed")


@dataclass
class Visit:
    """A page with what it asked for and complained about."""

    page: Any
    address: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def foreign(self) -> list[str]:
        """Requests to any host but its own. The browser's PDF viewer is a part of it."""
        return [url for url in self.requests if not url.startswith((self.address + "/", "data:", "blob:", "chrome-extension://", "chrome://"))]

    def ask(self, question: str, state: str = "answered") -> None:
        """Types a question, presses Enter, waits for the turn to end as told."""
        from playwright.sync_api import expect

        before = self.turn.get_attribute("data-turn") if self.turn.count() else "none"
        self.page.get_by_label("问题", exact=True).fill(question)
        self.page.keyboard.press("Enter")
        expect(self.turn).not_to_have_attribute("data-turn", before, timeout=30_000)
        self.settled(question.strip(), state)

    def settled(self, question: str, state: str = "answered") -> None:
        """Waits until this question is the last turn, and has ended as told."""
        from playwright.sync_api import expect

        expect(self.turn.locator(".wj-question")).to_have_text(question, timeout=30_000)
        expect(self.turn).to_have_attribute("data-state", state, timeout=20_000)

    def reload(self) -> None:
        """Loads the page again. What Gradio says of the connection it thereby loses is no complaint."""
        self.page.reload()
        self.complaints[:] = [c for c in self.complaints if "AbortError" not in c and "Connection errored out" not in c]

    @property
    def turn(self):
        """The last turn."""
        return self.page.locator("#wj-current .wj-turn")

    @property
    def panel(self):
        """The source panel."""
        return self.page.locator("#wj-panel")

    def marked(self, within: str = "#wj-panel mark") -> str:
        """The highlighted text without white space."""
        return compact("".join(self.page.locator(within).all_text_contents()))

    def faults(self) -> list[str]:
        """What axe finds serious or critical in the page as it stands."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page, options={"resultTypes": ["violations"]}).response["violations"]
        return [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found if v["impact"] in ("serious", "critical")]

    def sideways(self) -> int:
        """Pixels by which the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
