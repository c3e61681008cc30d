# SPDX-License-Identifier: Apache-2.0
"""Make the pictures of the README from the JSON record of a drill: scripts/pictures.py RECORD.json

Writes docs/pictures/live.svg and result.svg (the terminal, as rich draws it) and report.png,
report-dark.png, report-phone.png (the HTML report, as Chromium draws it). Nothing is invented: the
live picture shows the record's own facts up to the middle of the recovery.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console, RenderableType

from blackstart.cli.live import LiveSnapshot, draw_live
from blackstart.cli.table import draw_result
from blackstart.model.events import StepStarted
from blackstart.reports.drill import record_from_json, render_html
from blackstart.reports.record import DrillRecord
from blackstart.reports.scorecard import score
from blackstart.reports.spans import of_kind
from blackstart.reports.verdict import judge
from blackstart.world.process import run

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LIMIT_BYTES = 300_000
FETCHED = r"@font-face \{\{.*?\}\}\s*|<!--.*?-->\s*"  # fonts from elsewhere, and a remark
WITHOUT_FONTS = re.sub(FETCHED, "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def main() -> int:
    """Make every picture; returns the exit code."""
    if len(sys.argv) != 2:
        print("Usage: scripts/pictures.py RECORD.json", file=sys.stderr)
        return 2
    record = record_from_json(Path(sys.argv[1]).read_bytes())
    PICTURES.mkdir(parents=True, exist_ok=True)
    draw_terminal(record)
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        print("Chromium is not installed: apt-get install chromium, then again.", file=sys.stderr)
        return 8
    draw_report(record, browser)
    large = [path.name for path in PICTURES.iterdir() if path.stat().st_size > LIMIT_BYTES]
    for path in sorted(PICTURES.iterdir()):
        print(f"{path.name}: {path.stat().st_size // 1024} KiB")
    return 1 if large else 0


def draw_terminal(record: DrillRecord) -> None:
    """Draw the live view in the middle of the recovery, and the result."""
    moment = middle_of(record)
    past = tuple(fact for fact in record.facts if fact.at <= moment)
    snapshot = LiveSnapshot(record=replace(record, facts=past), now=moment)
    save_svg("live", draw_live(snapshot, 100, 40), "make drill")
    card = score(record.facts, record.runbooks, record.objectives, record.item_goals)
    save_svg("result", draw_result(record, card, judge(record, card), {}), "make drill")


def middle_of(record: DrillRecord) -> datetime:
    """Return a moment while data are restored: a third of the way to the next step's start."""
    starts = {event.step: fact.at for fact, event in of_kind(record.facts, StepStarted)}
    begun = starts.get("restore_data", record.facts[-1].at)
    following = min((at for at in starts.values() if at > begun), default=record.facts[-1].at)
    return begun + (following - begun) / 3


def save_svg(name: str, drawn: RenderableType, title: str) -> None:
    """Save what the terminal would show, without fetching fonts from elsewhere."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as nowhere:
        console = Console(record=True, width=100, file=nowhere, force_terminal=True)
        console.print(drawn)
        svg = console.export_svg(title=title, code_format=WITHOUT_FONTS)
    (PICTURES / f"{name}.svg").write_text(svg, encoding="utf-8")


def draw_report(record: DrillRecord, browser: str) -> None:
    """Photograph the report: light, dark, and as wide as a telephone."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "report.html")
        page.write_text(render_html(record), encoding="utf-8")
        frame = Path(folder, "phone.html")
        frame.write_text(
            '<body style="margin:0"><iframe src="report.html" '
            'style="width:390px;height:1500px;border:0"></iframe></body>',
            encoding="utf-8",
        )
        photograph(browser, page, "report", (1280, 1480), ())
        dark = ("--blink-settings=preferredColorScheme=0",)
        photograph(browser, page, "report-dark", (1280, 1480), dark)
        photograph(browser, frame, "report-phone", (390, 1500), ())


def photograph(
    browser: str, page: Path, name: str, size_px: tuple[int, int], more: tuple[str, ...]
) -> None:
    """Take one picture of a page. Raises ProcessTimedOut when the browser hangs."""
    target = PICTURES / f"{name}.png"
    options = (
        "--headless=new",
        "--no-sandbox",  # root has no user namespace sandbox; the page is our own and has no script
        "--disable-gpu",
        "--disable-quic",  # it looks at a file and asks nobody anything
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--hide-scrollbars",
        f"--user-data-dir={page.parent / 'profile'}",
        f"--window-size={size_px[0]},{size_px[1]}",
        f"--screenshot={target}",
    )
    done = run((browser, *options, *more, page.as_uri()), timeout_s=60)
    if done.code != 0 or not target.exists():
        raise SystemExit(f"The browser made no picture: {done.err.decode(errors='replace')[-500:]}")


if __name__ == "__main__":
    sys.exit(main())
