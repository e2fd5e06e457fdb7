"""What axe-core has against a page: https://github.com/dequelabs/axe-core, injected by the test alone."""

from importlib.resources import files

from playwright.sync_api import Frame, Page

SCRIPT = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


def serious(page: Page | Frame) -> list[str]:
    """Violations that axe-core calls serious or critical, each with its rule and the elements."""
    page.evaluate(SCRIPT)
    found = page.evaluate("async () => (await axe.run(document, { resultTypes: ['violations'] })).violations")
    return [
        f"{each['id']}: {each['help']}: {'; '.join(node['html'][:120] for node in each['nodes'])}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
