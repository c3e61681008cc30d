# SPDX-License-Identifier: Apache-2.0
"""The status page: honest, self-contained, readable by machines, and never losing its history."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from blackstart.ports.channel import Accepted, Delivery, Message, Missing, Rejected, Uncertain
from blackstart.ports.secrets import SecretRef
from blackstart.providers.statuspage import Static

DOWN = Message(
    subject="FlowFuse is unavailable", body="Since 03:14.", kind="outage", incident="i1", tone="bad"
)
UP = replace(DOWN, subject="FlowFuse works again", body="Since 04:00.", kind="up", tone="good")
NOTE = replace(DOWN, subject="Half restored", body="Data is back.", kind="note", tone="neutral")


def reveal(ref: SecretRef) -> str:
    raise AssertionError("a page needs no secret")


def send(page: Static, message: Message, key: str) -> Delivery:
    return page.send(message, key, "", reveal)


def on(folder: Path) -> Static:
    return Static(publish=(f"dir:{folder}",), page="FlowFuse status", component="FlowFuse")


def summary(folder: Path) -> Any:
    found = json.loads((folder / "status.json").read_text())
    assert json.loads((folder / "api/v2/summary.json").read_text()) == found
    return found


def text_of(folder: Path) -> str:
    return (folder / "index.html").read_text()


def test_an_outage_is_an_outage_everywhere(tmp_path: Path) -> None:
    assert isinstance(send(on(tmp_path), DOWN, "k1"), Accepted)
    found = summary(tmp_path)
    assert found["status"] == {"indicator": "critical", "description": "FlowFuse is not available"}
    assert found["components"][0]["status"] == "major_outage"
    (incident,) = found["incidents"]
    assert (incident["id"], incident["status"]) == ("i1", "investigating")
    assert '<p class="now bad">FlowFuse is unavailable</p>' in text_of(tmp_path)


def test_only_good_news_resolves_and_history_stays(tmp_path: Path) -> None:
    page = on(tmp_path)
    for number, message in enumerate((DOWN, NOTE, DOWN, UP)):
        send(page, message, f"k{number}")
        is_over = message is UP
        assert (summary(tmp_path)["incidents"] == []) is is_over
    assert summary(tmp_path)["status"]["indicator"] == "none"
    shown = text_of(tmp_path)
    assert '<p class="now calm">No incident of FlowFuse is open</p>' in shown
    places = [shown.index(f"<h3>{one}") for one in ("FlowFuse works again", "Half restored")]
    assert places == sorted(places)
    (incident,) = json.loads((tmp_path / "api/v2/incidents.json").read_text())["incidents"]
    told = [update["status"] for update in incident["incident_updates"]]
    assert told == ["resolved", "identified", "investigating", "investigating"]
    assert incident["resolved_at"]


def test_a_note_alone_promises_nothing(tmp_path: Path) -> None:
    send(on(tmp_path), NOTE, "k1")
    assert summary(tmp_path)["status"]["indicator"] == "minor"


def test_an_incident_that_comes_back_is_open_again(tmp_path: Path) -> None:
    for number, message in enumerate((DOWN, UP, DOWN)):
        send(on(tmp_path), message, f"k{number}")
    (incident,) = summary(tmp_path)["incidents"]
    assert (incident["status"], incident["resolved_at"]) == ("investigating", None)


def test_two_incidents_stand_beside_each_other(tmp_path: Path) -> None:
    send(on(tmp_path), DOWN, "k1")
    send(on(tmp_path), replace(UP, incident="i0"), "k2")
    assert summary(tmp_path)["status"]["indicator"] == "critical"
    assert text_of(tmp_path).count("<article>") == 2


class _Sources(HTMLParser):
    """Everything that a page would load from somewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [f"{tag} {name}" for name, _ in attrs if name in {"src", "href", "srcset"}]


def test_the_page_loads_nothing_and_escapes_all(tmp_path: Path) -> None:
    sly = replace(DOWN, subject="<script>alert(1)</script>", body='<img src="//x">\n"&')
    send(on(tmp_path), sly, "k1")
    page = text_of(tmp_path)
    sources = _Sources()
    sources.feed(page)
    assert sources.found == []
    assert "<script>alert" not in page
    assert "url(" not in page
    assert "default-src 'none'" in page
    assert 'name="viewport" content="width=device-width' in page


def test_the_page_says_how_old_it_is_and_what_is_due(tmp_path: Path) -> None:
    send(on(tmp_path), DOWN, "k1")
    stamp = r'<time id="published" datetime="\d{4}-\d\d-\d\dT[\d:.]+\+00:00">[^<]+ UTC</time>'
    assert re.search(stamp, text_of(tmp_path))
    assert 'id="due"' not in text_of(tmp_path).split("<script>")[0]
    send(replace(on(tmp_path), cadence_s=3600.0), NOTE, "k2")
    assert "Next update by" in text_of(tmp_path)
    send(replace(on(tmp_path), cadence_s=3600.0), UP, "k3")
    assert "Next update by" not in text_of(tmp_path)


def test_publishing_twice_shows_it_once_with_its_first_time(tmp_path: Path) -> None:
    send(on(tmp_path), DOWN, "k1")
    before = json.loads((tmp_path / "api/v2/incidents.json").read_text())["incidents"]
    send(on(tmp_path), DOWN, "k1")
    after = json.loads((tmp_path / "api/v2/incidents.json").read_text())["incidents"]
    assert after == before


def test_many_senders_at_once_lose_nothing(tmp_path: Path) -> None:
    keys = [f"k{number}" for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda key: send(on(tmp_path), NOTE, key), keys))
    assert all(isinstance(answer, Accepted) for answer in answers)
    assert text_of(tmp_path).count("<section") == 12


def test_damaged_history_is_never_written_over(tmp_path: Path) -> None:
    page = on(tmp_path)
    send(page, DOWN, "k1")
    (tmp_path / "api/v2/incidents.json").write_text('{"incidents": [{}]}')
    answer = send(page, UP, "k2")
    assert isinstance(answer, Rejected)
    assert "damaged" in answer.reason
    assert isinstance(page.lookup("k2", "", reveal), Uncertain)
    assert "works again" not in text_of(tmp_path)


def test_half_published_is_missing_and_is_completed(tmp_path: Path) -> None:
    both = replace(on(tmp_path), publish=(f"dir:{tmp_path}/one", f"dir:{tmp_path}/two"))
    send(on(tmp_path / "one"), DOWN, "k1")
    assert isinstance(both.lookup("k1", "", reveal), Missing)
    assert isinstance(send(both, DOWN, "k1"), Accepted)
    assert isinstance(both.lookup("k1", "", reveal), Accepted)
    (tmp_path / "two" / "index.html").write_text("somebody else's page")
    assert isinstance(both.lookup("k1", "", reveal), Missing)


def test_no_place_or_a_strange_one_is_refused_for_good(tmp_path: Path) -> None:
    for places in ((), ("s3://bucket",), ("dir:relative",)):
        answer = send(replace(on(tmp_path), publish=places), DOWN, "k1")
        assert isinstance(answer, Rejected)
        assert not answer.again
