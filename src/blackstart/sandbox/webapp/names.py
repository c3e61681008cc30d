# SPDX-License-Identifier: Apache-2.0
"""Names, ports and folders of the web application's production."""

from __future__ import annotations

from pathlib import Path

from blackstart.sandbox.layout import PRODUCTION, Layout

APPLICATION = Path(__file__).parent / "application"
SYSTEM = "records"
PUBLIC_NAME = "records.flowfuse.test"
DATABASE = OWNER = "records"
PORT = 8888
LOG = "application"
USER = "app"
METRICS_PATH = "/v1/__metrics__"
SHOP = "/v1/buckets/shop/collections"
# Pages that only this application answers, and only with its data: path → a text in it.
PAGES = {
    "/v1/": '"project_name":"records"',
    f"{SHOP}/countries/records/nl": '"capital":"Amsterdam"',
    f"{SHOP}/countries/records/pt": '"capital":"Lisbon"',
}
LOGIN_PAGE = f"{SHOP}/orders"


def app_folder(layout: Layout) -> Path:
    """Return the application's folder on the production site."""
    return layout.sites / PRODUCTION / "app"
