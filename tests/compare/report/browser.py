"""A page in Debian's Chromium, headless, over the DevTools protocol: what it asked for, what it
complained of, how it is laid out, and how it looks.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import aiohttp

from tests.shop import tool

Found = TypeVar("Found")

PATIENCE = 60.0
LISTENS = re.compile(rb"DevTools listening on (ws://\S+)")


@dataclass
class Page:
    """A page that is open. `requests` and `complaints` grow while it loads."""

    socket: aiohttp.ClientWebSocketResponse
    session: str | None
    numbers: Iterator[int]
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    loaded: int = 0

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """A command, and what the browser answers."""
        number = next(self.numbers)
        asked = {"id": number, "method": method, "params": parameters}
        await self.socket.send_json(asked | ({"sessionId": self.session} if self.session else {}))
        return await self._until(lambda told: told.get("id") == number)

    async def open(
        self, page: Path, *, width: int = 1400, height: int = 900, dark: bool = False
    ) -> None:
        """Show a file; returns when it is loaded."""
        for domain in ("Page", "Network", "Log", "Runtime"):
            await self.call(f"{domain}.enable")
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        await self.scheme("dark" if dark else "light")
        before = self.loaded
        await self.call("Page.navigate", url=page.as_uri())
        if self.loaded == before:
            await self._until(lambda _: self.loaded > before)

    async def scheme(self, value: str, media: str = "") -> None:
        features = [{"name": "prefers-color-scheme", "value": value}]
        await self.call("Emulation.setEmulatedMedia", media=media, features=features)

    async def evaluate(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def picture(self) -> bytes:
        """All of the page, as PNG."""
        answer = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(answer["data"])

    async def print(self) -> bytes:
        """As a PDF on A4 paper."""
        answer = await self.call(
            "Page.printToPDF",
            paperWidth=8.27,
            paperHeight=11.69,
            printBackground=True,
            preferCSSPageSize=True,
        )
        return base64.b64decode(answer["data"])

    async def _until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while True:
                told = await self.socket.receive_json()
                self._note(told)
                if wanted(told):
                    assert "error" not in told, told
                    result: dict[str, Any] = told.get("result", {})
                    return result

    def _note(self, told: dict[str, Any]) -> None:
        if told.get("sessionId") != self.session:
            return  # an older page's
        method, said = told.get("method"), told.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
        elif method == "Page.loadEventFired":
            self.loaded += 1
        elif method in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self.complaints.append(json.dumps(said))


@asynccontextmanager
async def _chromium() -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            tool("chromium"),
            "--headless=new",
            "--no-sandbox",  # which root cannot have
            "--disable-gpu",
            "--hide-scrollbars",
            "--disable-dev-shm-usage",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with (
                aiohttp.ClientSession() as client,
                client.ws_connect(await _address(process), max_msg_size=0) as socket,
            ):
                yield socket
        finally:
            process.kill()
            await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    """Where it listens, which it says on stderr."""
    assert process.stderr
    async with asyncio.timeout(PATIENCE):
        async for line in process.stderr:
            if found := LISTENS.search(line):
                return found[1].decode()
    raise AssertionError("Chromium ended before it listened")


class Browser:
    """One Chromium. Each visit has a page of its own."""

    def __init__(self, runner: asyncio.Runner, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._runner, self._socket, self._numbers = runner, socket, itertools.count(1)

    def visit(self, work: Callable[[Page], Coroutine[None, None, Found]]) -> Found:
        """What `work` finds on a new page."""
        return self._runner.run(self._visit(work))

    async def _visit(self, work: Callable[[Page], Coroutine[None, None, Found]]) -> Found:
        browser = Page(self._socket, None, self._numbers)
        made = await browser.call("Target.createTarget", url="about:blank")
        target = made["targetId"]
        attached = await browser.call("Target.attachToTarget", targetId=target, flatten=True)
        try:
            return await work(Page(self._socket, attached["sessionId"], self._numbers))
        finally:
            await browser.call("Target.closeTarget", targetId=target)


@contextmanager
def a_browser() -> Iterator[Browser]:
    """A Chromium, ended with the block."""
    with asyncio.Runner() as runner:
        chromium = _chromium()
        socket = runner.run(chromium.__aenter__())
        try:
            yield Browser(runner, socket)
        finally:
            runner.run(chromium.__aexit__(None, None, None))
