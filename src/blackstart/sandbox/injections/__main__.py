# SPDX-License-Identifier: Apache-2.0
"""Haunt the recovery of a run: `python -m blackstart.sandbox.injections NAME RUN_FOLDER`.

A process of its own: the recovery must not be able to tell it from any other program.
"""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from blackstart.model.errors import BlackstartError
from blackstart.sandbox.injection import broken_haunt
from blackstart.sandbox.injections import INJECTIONS
from blackstart.sandbox.layout import Layout


def main() -> None:
    """Go on until the injection has done what it does, or SIGTERM."""
    parser = argparse.ArgumentParser(prog="injections")
    haunting = sorted(name for name, one in INJECTIONS.items() if one.haunt)
    parser.add_argument("name", choices=haunting)
    parser.add_argument("run_folder", type=Path)
    chosen = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    haunt = INJECTIONS[chosen.name].haunt
    layout = Layout(chosen.run_folder)
    try:
        if haunt is not None:
            haunt(layout, stop)
    except BlackstartError as failure:
        broken_haunt(layout).write_text(failure.what)
        raise


if __name__ == "__main__":
    main()
