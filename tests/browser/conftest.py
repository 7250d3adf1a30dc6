"""A real Chromium before a whole Parley. Screenshots stay under var/screenshots."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from workers.process import Process
from workers.settings import Settings

SCREENSHOTS = Path("var/screenshots")
SIZES = ((1440, 900), (390, 844))
SCHEMES = ("light", "dark")
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LONGEST = 15000.0  # milliseconds that anything on a page may take

Shoot = Callable[[Page, str], None]


def _installed() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def _install() -> None:
    """Get Debian's package where that is ours to do."""
    if os.environ.get("CI") == "true" and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "chromium"]):
            with suppress(subprocess.TimeoutExpired):  # as when it fails: the tests skip aloud
                subprocess.run(command, check=False, capture_output=True, timeout=600)


@pytest.fixture(scope="module")  # while it lasts, its event loop runs in this thread, and no other test's can
def browser() -> Iterator[Browser]:
    if _installed() is None:
        _install()
    executable = _installed()
    if executable is None:
        pytest.skip("there is no Chromium: install one (on Debian: apt install chromium) to run these tests")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The demo, running as `parley up --demo` runs it."""
    process = Process(Settings(data_dir=tmp_path_factory.mktemp("data"), port=0), demo=True)
    process.start()
    yield process.url
    assert process.stop() == []


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """A browser of the test's own at the demo's start; what its scripts complain about fails the test."""
    width, height = SIZES[0]
    context = browser.new_context(viewport={"width": width, "height": height}, base_url=url)
    context.set_default_timeout(LONGEST)
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on(
        "console", lambda message: problems.append(message.text) if "Security" in message.text else None
    )
    opened.goto("/")
    yield opened
    context.close()
    assert problems == []


@pytest.fixture
def shoot() -> Shoot:
    """Keep how a page looks: wide and narrow, light and dark."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> None:
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            for scheme in SCHEMES:
                page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
                page.screenshot(path=SCREENSHOTS / f"{name}-{width}-{scheme}.png")
                overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert overflow <= 0, f"{name} is {overflow} px too wide for {width} px"
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})

    return take
