"""Reports to test with, and a headless Chromium spoken to over a pipe."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vtbench.results.claim_verdicts import Measured, judge
from vtbench.results.compare_text import Comparison
from vtbench.results.paper_comparison import Ours, match_table
from vtbench.results.record import Record
from vtbench.results.report import facts
from vtbench.results.report.curves import curve
from vtbench.results.report.model import (
    CellView,
    EncoderView,
    Figure,
    Lacking,
    MethodView,
    Problem,
    Report,
    Sample,
    TableView,
)
from vtbench.results.tables import tabulate

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser() -> str | None:
    """A Chromium of this machine, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page in a browser. events: all that it told, as (method, params)."""

    def __init__(self, program: str, profile: Path) -> None:
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()

        def wire() -> None:  # the browser reads commands from 3 and answers on 4
            os.dup2(to_read, 13)
            os.dup2(to_write, 14)
            os.dup2(13, 3)
            os.dup2(14, 4)

        self._process = subprocess.Popen(
            [
                program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
                "--disable-background-networking", "--disable-component-update", "--no-first-run",
                f"--user-data-dir={profile}", "about:blank",
            ],
            preexec_fn=wire, close_fds=False,  # noqa: PLW1509 - nothing else runs yet
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_read)
        os.close(to_write)
        self._count, self._rest, self.events = 0, b"", []
        targets = self._call("Target.getTargets")["targetInfos"]
        page = next(target for target in targets if target["type"] == "page")
        attached = self._call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command to the page and wait for its answer."""
        return self._call(method, self._session, **params)

    def open(self, path: Path, width: int = 1280, height: int = 900) -> None:
        """Show a file in a window of this size, and wait until it is loaded."""
        self.resize(width, height)
        self.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        self._until(lambda: any(name == "Page.loadEventFired" for name, _ in self.events))

    def resize(self, width: int, height: int = 900) -> None:
        """Give the window another size."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page; a promise is waited for."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    @property
    def complaints(self) -> list[Any]:
        """What the page put on the console, and exceptions."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [params for name, params in self.events if name in kinds]

    @property
    def fetched(self) -> list[str]:
        """What was asked of network or disk, data addresses aside."""
        asked = [p["request"]["url"] for n, p in self.events if n == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith("data:")]

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Save a PNG of what is seen, or of the whole page."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def printed(self) -> bytes:
        """The page as a PDF."""
        return base64.b64decode(self.call("Page.printToPDF")["data"])

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        self._process.wait(timeout=20)
        os.close(self._write)
        os.close(self._read)

    def _call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        self._count += 1
        number = self._count
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        answers: list[dict[str, Any]] = []
        self._until(lambda: any(a.get("id") == number for a in answers), answers)
        answer = next(a for a in answers if a.get("id") == number)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def _until(self, done: Any, answers: list[dict[str, Any]] | None = None) -> None:
        deadline = time.monotonic() + 60
        while not done():
            assert time.monotonic() < deadline, "the browser does not answer"
            ready, _, _ = select.select([self._read], [], [], 1)
            if not ready:
                assert self._process.poll() is None, "the browser has ended"
                continue
            *whole, self._rest = (self._rest + os.read(self._read, 1 << 20)).split(b"\0")
            for message in map(json.loads, whole):
                if "id" in message and answers is not None:
                    answers.append(message)
                elif "method" in message:
                    self.events.append((message["method"], message["params"]))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A page to open files in."""
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium is on this machine")
    opened = Browser(program, tmp_path_factory.mktemp("browser"))
    yield opened
    opened.close()


PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


@pytest.fixture(scope="session")
def records(make_record: Callable[..., Record]) -> list[Record]:
    """Two seeds of three methods on two tasks, and a failed one."""
    scores = {"supervised": 90.0, "sarl": 80.0, "byol": 70.0, "simclr": 60.0}
    found = [
        make_record(method, task, seed, scores_of(task, value + seed))
        for method, value in scores.items()
        for task in ("shape", "force")
        for seed in (0, 1)
        if (method, task) != ("simclr", "force")
    ]
    return [*found, make_record("simclr", "force", 0)]


def scores_of(task: str, value: float) -> dict[str, float]:
    """An accuracy, or an error that is small where the accuracy is large."""
    if task == "force":
        return {"mae": 1 - value / 100, "mae_x": 1 - value / 200}
    return {"top1": value, "top5": min(99.0, value + 5)}


@pytest.fixture(scope="session")
def report_of() -> Callable[..., Report]:
    """report_of(records, **changes): a report with one of everything."""

    def make(records: list[Record], **changes: Any) -> Report:
        table = tabulate(records)
        ours = Ours.of(table, records)
        known: dict[str, Any] = {
            "title": "Self-supervised learning on touch",
            "sources": ["simulated"],
            "facts": [("Profile", records[0].profile)],
            "tables": [
                TableView(
                    name="Table I", table=table, protocol="linear", method="", card=["linear probe"]
                )
            ],
            "lacking": [Lacking(name="Table II", command="bench run --tasks transfer")],
            "problems": [
                Problem(kind="failed", where="Table I", cells="SimCLR on Force", reason="NaN")
            ],
            "comparison": Comparison(
                tables=[match_table(ours)], findings=judge(Measured({1: ours}))
            ),
            "methods": [_method(records, s) for s in dict.fromkeys(r.method for r in records)],
            "figures": [
                Figure(
                    title="Bars",
                    caption="Made by `bench figure`.",
                    alt="Bars of Table I",
                    image="<svg xmlns='http://www.w3.org/2000/svg' width='30' height='9'></svg>",
                )
            ],
        }
        return Report(**{**known, **changes})

    return make


def _method(records: list[Record], spec: str) -> MethodView:
    mine = [record for record in records if record.method == spec]
    encoder = EncoderView(
        title="Seed 0",
        facts=facts.training(mine[0]),
        curves=[curve("sal", [3.0, 2.0, 1.0])],
        curves_note="",
        cells=[_cell(record) for record in mine],
    )
    return MethodView(title=mine[0].method_title, spec=spec, encoders=[encoder])


def _cell(record: Record) -> CellView:
    return CellView(
        id=record.id,
        method=record.method,
        task_title=record.task_title,
        protocol=record.protocol,
        sensor=record.sensor,
        seed=record.seed,
        score=facts.headline(record),
        standing="current" if record.done else "failed",
        reason=record.error or "",
        columns=[f"{record.task}_{metric.name}" for metric in record.metrics],
        groups=facts.groups(record),
        notes=record.notes,
        command=f"bench run --methods {record.method}",
        samples=[Sample(image=PIXEL, row=3, truth="cone", predicted="cube")],
    )
