"""Starts TensorBoard and shows its tab in headless Chromium."""

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
SECONDS, RESPONSE_SECONDS = 60, 10

# Hides TensorFlow: TensorBoard would import it, which takes half a minute on two cores.
_START_TENSORBOARD = (
    "import sys; sys.modules['tensorflow'] = None; import tensorboard.main; "
    "sys.exit(tensorboard.main.run_main())"
)
_PANELS = "return [...document.querySelectorAll('.panel')]"


@contextmanager
def tensorboard(log_dir: Path, *flags: str) -> Iterator[str]:
    """Runs TensorBoard on a free port; yields its URL."""
    command = [sys.executable, "-c", _START_TENSORBOARD, f"--logdir={log_dir}", "--port=0", *flags]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    try:
        matches = (re.search(r"http://\S+:(\d+)(/\S*)", line) for line in process.stderr or ())
        match = next(filter(None, matches))
        yield f"http://localhost:{match[1]}{match[2]}"
    finally:
        process.kill()
        process.communicate()


@contextmanager
def serve_page(page: str) -> Iterator[str]:
    """Serves a page on a free port; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Logs nothing."""

    with ThreadingHTTPServer(("localhost", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()


@contextmanager
def chromium(width: int = 1280, height: int = 900) -> Iterator[webdriver.Chrome]:
    """Runs a headless browser.

    It is killed at the end, since a browser that hangs does not react to a request to quit.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        # In a container, the sandbox does not work for root, and /dev/shm may be small.
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


class SharedBrowser:
    """One browser for many tests: it loads TensorBoard faster the second time.

    A browser that does not respond is killed and replaced.
    """

    def __init__(self) -> None:
        self._open = ExitStack()
        self._driver: webdriver.Chrome | None = None

    def empty_tab(self) -> webdriver.Chrome:
        """Returns the browser with one empty tab and without stored data."""
        if self._driver is None or not _responds(self._driver):
            self.close()
            self._driver = self._open.enter_context(chromium())
        previous = self._driver.current_window_handle
        self._driver.switch_to.new_window("tab")
        new = self._driver.current_window_handle
        self._driver.switch_to.window(previous)
        self._driver.close()
        self._driver.switch_to.window(new)
        stored_data = {"origin": "*", "storageTypes": "local_storage,cookies"}
        self._driver.execute_cdp_cmd("Storage.clearDataForOrigin", stored_data)
        self._driver.get_log("browser")
        return self._driver

    def close(self) -> None:
        """Kills the browser."""
        self._open.close()


def _responds(driver: webdriver.Chrome) -> bool:
    config = driver.command_executor.client_config
    config.timeout = RESPONSE_SECONDS
    try:
        return bool(driver.execute_script("return true"))
    except (ReadTimeoutError, WebDriverException):
        return False
    finally:
        config.timeout = SECONDS


class Tab:
    """The tab in a browser.

    Args:
        driver: The browser.
        address: URL of TensorBoard.

    Attributes:
        expected_error: Console lines with this text are not errors of the page.
    """

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver, self._address = driver, address
        self.expected_error = "no error is expected"

    def open(self, dark: bool = False, **view: object) -> Tab:
        """Loads the page with a view, which is passed in the address."""
        self.driver.get(self._url(dark, view))
        return self._enter("iframe[src*='name=keras_l4']")

    def open_in_notebook(self, dark: bool = False, **view: object) -> Tab:
        """Loads the page in a frame of a page of another origin."""
        url = html.escape(self._url(dark, view))
        with serve_page(
            f'<iframe id="notebook" width="100%" height="800" src="{url}"></iframe>'
        ) as notebook:
            self.driver.get(notebook)
            return self._enter("#notebook")._enter("iframe[src*='name=keras_l4']")

    def _url(self, dark: bool, view: dict[str, object]) -> str:
        parts = [f"p.keras_l4.{k}={urllib.parse.quote(str(v), safe='')}" for k, v in view.items()]
        query = "?darkMode=true" if dark else ""
        return f"{self._address}{query}#{'&'.join(['keras_l4', *parts])}"

    def _enter(self, selector: str) -> Tab:
        self.wait(lambda: self.find_all(selector))
        self.driver.switch_to.frame(self.find(selector))
        return self

    def wait(self, condition: Any) -> Any:
        """Waits until `condition()` is true; returns its result."""
        return WebDriverWait(self.driver, SECONDS, poll_frequency=0.05).until(lambda _: condition())

    def script(self, code: str, *arguments: object) -> Any:
        """Runs JavaScript in the tab; returns its result."""
        return self.driver.execute_script(code, *arguments)

    def find(self, selector: str) -> Any:
        """Returns the first matching element."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector: str) -> list[Any]:
        """Returns all matching elements."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def states(self) -> dict[str, str]:
        """Returns the state of each panel: waiting, drawing, drawn or failed."""
        pairs = self.script(f"{_PANELS}.map((p) => [p.id, p.dataset.state])")
        return dict(pairs)

    def drawn(self, panel: str) -> Any:
        """Scrolls to a panel and waits until it is drawn; returns its element."""
        node = self.wait(lambda: self.find_all(f"#{panel}"))[0]
        self.script("arguments[0].scrollIntoView({block: 'nearest'})", node)
        final = ("drawn", "failed")
        state = self.wait(lambda: next((s for s in [self.states()[panel]] if s in final), None))
        assert state == "drawn", self.notice(panel)
        return node

    def notice(self, panel: str) -> str:
        """Returns the line above the charts of a panel."""
        return self.find(f"#{panel} .notice").text

    def view(self) -> dict[str, str]:
        """Returns the view in the address."""
        parts = self.script("return parent.location.hash").split("&")[1:]
        pairs = (part.removeprefix("p.keras_l4.").split("=", 1) for part in parts)
        return {name: urllib.parse.unquote(value) for name, value in pairs}

    def trace(self, panel: str, index: int = 0) -> Any:
        """Returns a trace of the charts of a panel, as plotly has drawn it."""
        trace = self.script(
            "const d = [...document.querySelectorAll(arguments[0])].flatMap((c) => c.data ?? []);"
            "const t = d[arguments[1]]; return JSON.stringify({...t, z: t.z && [...t.z].map((r) => r.length ? [...r] : r),"
            " x: t.x && [...t.x], y: t.y && [...t.y]})",
            f"#{panel} .chart",
            index,
        )
        return json.loads(trace)

    def errors(self) -> list[str]:
        """Returns console lines about the files of the plugin or the security policy."""
        lines = [entry["message"] for entry in self.driver.get_log("browser")]
        relevant = ("keras_l4/", "Content Security Policy", "Uncaught")
        harmless = ("GPU stall", "WebGL", "willReadFrequently")
        return [
            line
            for line in lines
            if any(word in line for word in relevant) and not any(word in line for word in harmless)
        ]
