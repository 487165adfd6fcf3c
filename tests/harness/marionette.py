"""A real Firefox, driven over Marionette: pages as a user has them, and the browser's own windows.

WebDriver ends at the page. A push message is shown by the browser, in a window of its own; Marionette reaches both.
See https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.harness.waiting import until

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element's id (W3C WebDriver, section 12)


def program() -> str | None:
    """Return Firefox's program; None: there is none."""
    return os.environ.get("FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")


class Firefox:
    """One browser, and one session with it."""

    def __init__(self, connection: socket.socket) -> None:
        self._file = connection.makefile("rwb")
        self._count = 0
        self._read()  # its greeting
        self.call("WebDriver:NewSession", {})

    def call(self, command: str, given: Mapping[str, Any]) -> Any:
        """Run a command and return its value; raises RuntimeError with what the browser says."""
        self._count += 1
        text = json.dumps([0, self._count, command, given]).encode()
        self._file.write(b"%d:%s" % (len(text), text))
        self._file.flush()
        _, _, error, result = self._read()
        if error:
            raise RuntimeError(f"{command}: {error['error']}: {error['message']}")
        return result.get("value", result) if isinstance(result, dict) else result

    def _read(self) -> Any:
        length = b""
        while (one := self._file.read(1)) != b":":
            if not one:
                raise RuntimeError("Firefox has closed the connection")
            length += one
        return json.loads(self._file.read(int(length)))

    def open(self, url: str) -> None:
        """Open a page."""
        self.call("WebDriver:Navigate", {"url": url})

    def click(self, selector: str) -> None:
        """Click an element of the page, as a user does."""
        found = self.call("WebDriver:FindElement", {"using": "css selector", "value": selector})
        self.call("WebDriver:ElementClick", {"id": found[ELEMENT]})

    def page(self, script: str, *given: Any) -> Any:
        """Return what an async function's body returns in the page."""
        return self._run("content", script, given)

    def browser(self, script: str, *given: Any) -> Any:
        """Return what an async function's body returns in the browser's own window."""
        return self._run("chrome", script, given)

    def _run(self, context: str, script: str, given: tuple[Any, ...]) -> Any:
        self.call("Marionette:SetContext", {"value": context})
        try:
            return self.call(
                "WebDriver:ExecuteScript", {"script": f"return (async () => {{{script}}})()", "args": given}
            )
        finally:
            self.call("Marionette:SetContext", {"value": "content"})


@contextmanager
def firefox(path: str, folder: Path, prefs: Mapping[str, str | bool | int]) -> Iterator[Firefox]:
    """Run a Firefox without a screen, with a new profile in `folder`."""
    profile = folder / "profile"
    profile.mkdir()
    wanted = {"marionette.port": 0, "app.update.disabledForTesting": True, "datareporting.policy.dataSubmissionEnabled": False,
              "browser.shell.checkDefaultBrowser": False, "remote.prefs.recommended": False, **prefs}  # fmt: skip
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in wanted.items()]
    (profile / "user.js").write_text("".join(lines))
    command = [
        path,
        "--headless",
        "--no-remote",
        "--marionette",
        "--remote-allow-system-access",
        "--profile",
        str(profile),
        "about:blank",
    ]
    with (folder / "firefox.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=os.environ | {"HOME": str(folder)}, start_new_session=True
        )
    port = profile / "MarionetteActivePort"
    try:
        until(lambda: port.exists() and port.read_text().strip() != "", 60, "Firefox's port")
        with socket.create_connection(("127.0.0.1", int(port.read_text())), 30) as connection:
            yield Firefox(connection)
    finally:
        os.killpg(process.pid, 15)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
