"""Whether everybody can use a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SIZES = {"wide": (1440, 900), "narrow": (360, 800)}
_BAD = {"serious", "critical"}  # of axe's impacts


def faults(page: Page) -> list[str]:
    """What is seriously wrong for axe, and by how much the page is wider than the screen.

    The page's context must pass over the site's policy (`bypass_csp`): axe is a script in it.
    """
    found = [f"{excess} px wider than the screen"] if (excess := too_wide(page)) > 0 else []
    for violation in Axe().run(page).response["violations"]:
        if violation["impact"] in _BAD:
            places = [node["html"][:200] for node in violation["nodes"][:3]]
            found.append(f"{violation['id']}: {places}")
    return found


def too_wide(page: Page) -> int:
    """Pixels by which the page is wider than the screen."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
