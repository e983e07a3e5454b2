"""TensorBoard in a process, and its tab in headless Chromium."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from urllib3.exceptions import ReadTimeoutError

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SECONDS, SECONDS_TO_ANSWER = 60, 10

# TensorBoard imports TensorFlow where it is installed, which takes it half a minute on two cores.
_START = (
    "import sys; sys.modules['tensorflow'] = None; import tensorboard.main; "
    "sys.exit(tensorboard.main.run_main())"
)
_PANELS = "return [...document.querySelectorAll('.panel')]"


@contextmanager
def tensorboard(log_dir: Path, *flags: str) -> Iterator[str]:
    """A TensorBoard on a free port; gives its address."""
    command = [sys.executable, "-c", _START, f"--logdir={log_dir}", "--port=0", *flags]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    try:
        found = (re.search(r"http://\S+:(\d+)(/\S*)", line) for line in process.stderr or ())
        match = next(filter(None, found))
        yield f"http://localhost:{match[1]}{match[2]}"
    finally:
        process.kill()
        process.communicate()


@contextmanager
def served(page: str) -> Iterator[str]:
    """A page on a port of its own; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("localhost", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()


@contextmanager
def chromium(width: int = 1280, height: int = 900) -> Iterator[webdriver.Chrome]:
    """A browser without a window.

    It is killed in the end: one that hangs does not answer that it should quit either.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        # Root, as in a container, has no sandbox; its /dev/shm may be small.
        for flag in (
            "headless=new",
            "no-sandbox",
            "disable-dev-shm-usage",
            f"user-data-dir={profile}",
            f"window-size={width},{height}",
        ):
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = Service(str(DRIVER), popen_kw={"start_new_session": True})
        driver = webdriver.Chrome(options=options, service=service)
        driver.command_executor.client_config.timeout = SECONDS
        try:
            yield driver
        finally:
            os.killpg(service.process.pid, signal.SIGKILL)
            service.process.wait()


class Shared:
    """One browser for many tests, since it loads TensorBoard faster a second time.

    One that does not answer is killed, and another takes its place.
    """

    def __init__(self) -> None:
        self._open = ExitStack()
        self._driver: webdriver.Chrome | None = None

    def blank(self) -> webdriver.Chrome:
        """The browser, as if nothing had been looked at."""
        if self._driver is None or not _answers(self._driver):
            self.close()
            self._driver = self._open.enter_context(chromium())
        seen = self._driver.current_window_handle
        self._driver.switch_to.new_window("tab")
        blank = self._driver.current_window_handle
        self._driver.switch_to.window(seen)
        self._driver.close()
        self._driver.switch_to.window(blank)
        everything = {"origin": "*", "storageTypes": "local_storage,cookies"}
        self._driver.execute_cdp_cmd("Storage.clearDataForOrigin", everything)
        self._driver.get_log("browser")
        return self._driver

    def close(self) -> None:
        """Kills it."""
        self._open.close()


def _answers(driver: webdriver.Chrome) -> bool:
    settings = driver.command_executor.client_config
    settings.timeout = SECONDS_TO_ANSWER
    try:
        return bool(driver.execute_script("return true"))
    except (ReadTimeoutError, WebDriverException):
        return False
    finally:
        settings.timeout = SECONDS


class Tab:
    """Our tab in a browser.

    Args:
        driver: The browser.
        address: Of TensorBoard.

    Attributes:
        refused: What a console line may say that is no complaint.
    """

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver, self._address = driver, address
        self.refused = "nothing at all"

    def open(self, dark: bool = False, **view: object) -> Tab:
        """Loads the page with a view, as its address would hold it."""
        self.driver.get(self._at(dark, view))
        return self._enter("iframe[src*='name=keras_l4']")

    def open_in_notebook(self, dark: bool = False, **view: object) -> Tab:
        """Loads the page in a frame of another page, whose origin is not TensorBoard's."""
        shown = html.escape(self._at(dark, view))
        with served(
            f'<iframe id="notebook" width="100%" height="800" src="{shown}"></iframe>'
        ) as it:
            self.driver.get(it)
            return self._enter("#notebook")._enter("iframe[src*='name=keras_l4']")

    def _at(self, dark: bool, view: dict[str, object]) -> str:
        own = [f"p.keras_l4.{k}={urllib.parse.quote(str(v), safe='')}" for k, v in view.items()]
        query = "?darkMode=true" if dark else ""
        return f"{self._address}{query}#{'&'.join(['keras_l4', *own])}"

    def _enter(self, selector: str) -> Tab:
        self.wait(lambda: self.find_all(selector))
        self.driver.switch_to.frame(self.find(selector))
        return self

    def wait(self, condition: Any) -> Any:
        """Waits until `condition()` is true."""
        return WebDriverWait(self.driver, SECONDS, poll_frequency=0.05).until(lambda _: condition())

    def script(self, code: str, *arguments: object) -> Any:
        """Runs JavaScript in the tab."""
        return self.driver.execute_script(code, *arguments)

    def find(self, selector: str) -> Any:
        """The first element."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector: str) -> list[Any]:
        """All elements."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def states(self) -> dict[str, str]:
        """Panel to what it is doing."""
        pairs = self.script(f"{_PANELS}.map((p) => [p.id, p.dataset.state])")
        return dict(pairs)

    def drawn(self, panel: str) -> Any:
        """Brings a panel into view, waits until it is drawn, and gives it."""
        node = self.wait(lambda: self.find_all(f"#{panel}"))[0]
        self.script("arguments[0].scrollIntoView({block: 'nearest'})", node)
        done = ("drawn", "failed")
        state = self.wait(lambda: next((s for s in [self.states()[panel]] if s in done), None))
        assert state == "drawn", self.notice(panel)
        return node

    def notice(self, panel: str) -> str:
        """The line above its charts."""
        return self.find(f"#{panel} .notice").text

    def view(self) -> dict[str, str]:
        """What the address holds of the view."""
        parts = self.script("return parent.location.hash").split("&")[1:]
        pairs = (part.removeprefix("p.keras_l4.").split("=", 1) for part in parts)
        return {name: urllib.parse.unquote(value) for name, value in pairs}

    def trace(self, panel: str, index: int = 0) -> Any:
        """The sizes and numbers of what plotly has drawn."""
        found = self.script(
            "const d = [...document.querySelectorAll(arguments[0])].flatMap((c) => c.data ?? []);"
            "const t = d[arguments[1]]; return JSON.stringify({...t, z: t.z && [...t.z].map((r) => r.length ? [...r] : r),"
            " x: t.x && [...t.x], y: t.y && [...t.y]})",
            f"#{panel} .chart",
            index,
        )
        return json.loads(found)

    def complaints(self) -> list[str]:
        """What the console has to say of our own files and of the security policy."""
        lines = [entry["message"] for entry in self.driver.get_log("browser")]
        ours = ("keras_l4/", "Content Security Policy", "Uncaught")
        known = ("GPU stall", "WebGL", "willReadFrequently")
        return [
            line
            for line in lines
            if any(word in line for word in ours) and not any(word in line for word in known)
        ]
