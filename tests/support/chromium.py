"""A page of Debian's Chromium, driven over its DevTools protocol."""

import asyncio
import base64
import contextlib
import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tornado.websocket import WebSocketClientConnection, websocket_connect

from trailcourier.host import child_process

OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars",
    "--no-proxy-server", "--remote-debugging-port=0",
)  # fmt: skip


class Page:
    """One page; *wrong* is what its console and its requests have to complain of."""

    def __init__(self, runner: asyncio.Runner, socket: WebSocketClientConnection) -> None:
        self._runner, self._socket, self._last = runner, socket, 0
        self._loaded: set[str] = set()
        self.wrong: list[str] = []
        for part in ("Page", "Runtime", "Log"):
            self.call(f"{part}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call *method* of the protocol and give its result."""
        self._last += 1
        return self._runner.run(self._answer(self._last, method, parameters))

    async def _answer(self, number: int, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        await self._socket.write_message(
            json.dumps({"id": number, "method": method, "params": parameters})
        )
        while (message := await self._heard()).get("id") != number:
            pass
        assert "result" in message, message
        return dict(message["result"])

    async def _heard(self) -> dict[str, Any]:
        """The next message; what it tells of the page is noted."""
        text = await asyncio.wait_for(self._socket.read_message(), 30)
        assert text is not None, "Chromium has ended"
        message: dict[str, Any] = json.loads(text)
        params = message.get("params", {})
        match message.get("method"):
            case "Page.lifecycleEvent" if params["name"] == "load":
                self._loaded.add(params["loaderId"])
            case "Page.javascriptDialogOpening":  # nothing else is answered until it is closed
                self.wrong.append(params["message"])
                close = {"id": 0, "method": "Page.handleJavaScriptDialog"}
                await self._socket.write_message(json.dumps(close | {"params": {"accept": True}}))
            case "Log.entryAdded" if params["entry"]["level"] in {"error", "warning"}:
                self.wrong.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
            case "Runtime.exceptionThrown":
                self.wrong.append(json.dumps(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if params["type"] in {"error", "warning", "assert"}:
                self.wrong.append(json.dumps(params["args"]))
        return message

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)[
            "result"
        ].get("value")

    def until(self, expression: str, *, seconds: float = 20) -> None:
        """Wait until *expression* is true."""
        deadline = time.monotonic() + seconds
        while not self.ask(expression):
            text = self.ask("document.body ? document.body.innerText : ''")
            assert time.monotonic() < deadline, f"not within {seconds} s: {expression}\n{text}"
            time.sleep(0.1)

    def open(self, url: str) -> None:
        """Go to *url* and wait until it is loaded; what its scripts ask for may still come."""
        navigation = self.call("Page.navigate", url=url)
        assert not navigation.get("errorText"), navigation
        while navigation["loaderId"] not in self._loaded:
            self._runner.run(self._heard())

    def picture(self, width: int, height: int) -> bytes:
        """The page as PNG, in a window of that size."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        time.sleep(0.5)  # what was laid out anew fades in
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


@contextlib.contextmanager
def page(program: str, folder: Path) -> Iterator[Page]:
    """A page of *program*, which keeps what it must in *folder*, a new one."""
    argv = [program, *OPTIONS, f"--user-data-dir={folder}", "about:blank"]
    process = child_process.start(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = _port(folder / "DevToolsActivePort", process)
        url = f"http://127.0.0.1:{port}/json/list"
        with urllib.request.urlopen(url, timeout=10) as answer:
            (target,) = [each for each in json.load(answer) if each["type"] == "page"]
        with asyncio.Runner() as runner:
            socket = runner.run(_connected(target["webSocketDebuggerUrl"]))
            yield Page(runner, socket)
            socket.close()
    finally:
        child_process.kill(process)


async def _connected(url: str) -> WebSocketClientConnection:
    return await asyncio.wait_for(websocket_connect(url, max_message_size=2**26), 10)


def _port(path: Path, process: child_process.Process) -> int:
    """The port Chromium chose, once it listens there."""
    deadline = time.monotonic() + 30
    while not (path.is_file() and (text := path.read_text())):
        assert process.poll() is None, "Chromium did not start"
        assert time.monotonic() < deadline, "Chromium does not listen"
        time.sleep(0.05)
    return int(text.splitlines()[0])
