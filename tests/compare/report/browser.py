"""A page in Debian's Chromium, headless, over the DevTools protocol: what it asked for, what it
complained of, how it is laid out, and how it looks.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
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
    session: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    loaded: int = 0
    _last: int = 100

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """A command, and what the browser answers."""
        self._last += 1
        await self.socket.send_json(
            {
                "id": self._last,
                "method": method,
                "params": parameters,
                "sessionId": self.session,
            }
        )
        return await self._until(lambda told: told.get("id") == self._last)

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
        method, said = told.get("method"), told.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
        elif method == "Page.loadEventFired":
            self.loaded += 1
        elif method in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self.complaints.append(json.dumps(said))


@asynccontextmanager
async def _browser() -> AsyncIterator[Page]:
    with TemporaryDirectory() as profile:
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
            assert process.stderr
            address = b""
            async with asyncio.timeout(PATIENCE):
                async for line in process.stderr:
                    if found := LISTENS.search(line):
                        address = found[1]
                        break
            assert address, "Chromium ended before it listened"
            async with (
                aiohttp.ClientSession() as client,
                client.ws_connect(address.decode(), max_msg_size=0) as socket,
            ):
                yield await _attach(socket)
        finally:
            process.kill()
            await process.wait()


async def _attach(socket: aiohttp.ClientWebSocketResponse) -> Page:
    """To the first tab."""

    async def ask(number: int, method: str, **parameters: object) -> dict[str, Any]:
        await socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(PATIENCE):
            while (told := await socket.receive_json()).get("id") != number:
                pass
        assert "error" not in told, told
        result: dict[str, Any] = told["result"]
        return result

    made = await ask(1, "Target.createTarget", url="about:blank")
    attached = await ask(2, "Target.attachToTarget", targetId=made["targetId"], flatten=True)
    return Page(socket, attached["sessionId"])


def in_browser(work: Callable[[Page], Coroutine[None, None, Found]]) -> Found:
    """What `work` finds on a page of a browser of its own."""

    async def go() -> Found:
        async with _browser() as page:
            return await work(page)

    return asyncio.run(go())
