# SPDX-License-Identifier: Apache-2.0
"""The Slack stand-in answers the real slack_sdk as Slack does, and shows each fault it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from blackstart.sandbox.http_loop import Loop
from blackstart.sandbox.slack_standin import SlackStandin
from blackstart.sandbox.slack_workspace import User, seed_workspace

TOKEN = "xoxb-sandbox"
USERS = (
    User(id="U0BOT", name="blackstart", is_bot=True),
    User(id="U0CTO", name="cto", email="cto@example.com", real_name="Chief"),
    User(id="U0ENG", name="eng", email="eng@example.com"),
)


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    folder = tmp_path / "slack"
    seed_workspace(folder, tokens={TOKEN: "U0BOT", "xoxb-other": "U0ENG"}, users=USERS)
    loop = Loop("127.0.0.1", 0, SlackStandin(folder).answer)
    yield loop
    loop.stop()


@pytest.fixture
def slack(loop: Loop) -> WebClient:
    return client_of(loop)


def client_of(loop: Loop, token: str = TOKEN, timeout: int = 5) -> WebClient:
    base_url = f"http://127.0.0.1:{loop.port}/api/"
    return WebClient(token=token, base_url=base_url, retry_handlers=[], timeout=timeout)


def show(loop: Loop, **fault: object) -> None:
    answer = httpx.post(f"http://127.0.0.1:{loop.port}/_control/faults", json=fault)
    assert answer.status_code == 200, answer.text


def kept(loop: Loop) -> list[dict[str, object]]:
    lines = httpx.get(f"http://127.0.0.1:{loop.port}/_control/messages").text.splitlines()
    return [json.loads(line) for line in lines]


def refusal_of(failure: pytest.ExceptionInfo[SlackApiError]) -> str:
    return str(failure.value.response["error"])


def test_a_token_speaks_for_its_user_and_a_wrong_one_for_nobody(
    loop: Loop, slack: WebClient
) -> None:
    assert slack.auth_test()["user_id"] == "U0BOT"
    with pytest.raises(SlackApiError) as failure:
        client_of(loop, token="xoxb-wrong").auth_test()
    assert refusal_of(failure) == "invalid_auth"


def test_an_incident_channel_is_made_filled_and_found_again(slack: WebClient) -> None:
    channel = slack.conversations_create(name="inc-1")["channel"]["id"]
    slack.conversations_invite(channel=channel, users=["U0CTO", "U0ENG"])
    slack.conversations_setTopic(channel=channel, topic="FlowFuse is down")
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*Down*"}}]
    mark = {"event_type": "blackstart", "event_payload": {"key": "k1"}}
    first = slack.chat_postMessage(channel=channel, text="Down", blocks=blocks, metadata=mark)
    slack.chat_postMessage(channel="#inc-1", text="more", thread_ts=first["ts"])
    slack.chat_update(channel=channel, ts=first["ts"], text="Down since 03:00")
    slack.pins_add(channel=channel, timestamp=first["ts"])
    slack.bookmarks_add(channel_id=channel, title="Runbook", type="link", link="https://r.test")

    shown = slack.conversations_info(channel=channel)["channel"]
    assert (shown["topic"]["value"], shown["num_members"]) == ("FlowFuse is down", 3)
    plain = slack.conversations_history(channel=channel)["messages"]
    assert [message["text"] for message in plain] == ["Down since 03:00"]
    assert "metadata" not in plain[0]
    marked = slack.conversations_history(channel=channel, include_all_metadata=True)["messages"]
    assert marked[0]["metadata"] == mark
    thread = slack.conversations_replies(channel=channel, ts=first["ts"])["messages"]
    assert [message["text"] for message in thread] == ["Down since 03:00", "more"]
    link = slack.chat_getPermalink(channel=channel, message_ts=first["ts"])["permalink"]
    assert link.endswith("/p" + first["ts"].replace(".", ""))
    assert [c["name"] for c in slack.conversations_list()["channels"]] == ["inc-1"]


def test_lists_come_in_pages(slack: WebClient) -> None:
    channel = slack.conversations_create(name="busy")["channel"]["id"]
    for number in range(5):
        slack.chat_postMessage(channel=channel, text=str(number))
    texts = [
        message["text"]
        for page in slack.conversations_history(channel=channel, limit=2)
        for message in page["messages"]
    ]
    assert texts == ["4", "3", "2", "1", "0"]


def test_people_are_found_and_written_to_directly(slack: WebClient) -> None:
    assert slack.users_lookupByEmail(email="CTO@example.com")["user"]["id"] == "U0CTO"
    assert slack.users_info(user="U0CTO")["user"]["profile"]["email"] == "cto@example.com"
    opened = slack.conversations_open(users=["U0CTO"])["channel"]["id"]
    posted = slack.chat_postMessage(channel="U0CTO", text="Wake up")
    assert posted["channel"] == opened


def test_what_slack_refuses_is_refused_with_its_codes(loop: Loop, slack: WebClient) -> None:
    other = client_of(loop, token="xoxb-other")
    slack.conversations_create(name="taken")
    channel = slack.conversations_create(name="closed")["channel"]["id"]
    attempts: tuple[Callable[[], object], ...] = (
        lambda: slack.chat_postMessage(channel="#nowhere", text="x"),
        lambda: other.chat_postMessage(channel=channel, text="x"),
        lambda: slack.conversations_create(name="taken"),
        lambda: slack.conversations_create(name="Not Allowed"),
        lambda: slack.chat_postMessage(channel=channel, text="x", blocks=[{}] * 51),
        lambda: slack.chat_update(channel=channel, ts="1.000001", text="x"),
        lambda: slack.users_lookupByEmail(email="nobody@example.com"),
        lambda: slack.users_info(user="U404"),
        lambda: slack.chat_postMessage(channel=channel, text="x", metadata={"a": "b"}),
        lambda: slack.api_call("chat.sing"),
    )
    refusals = []
    for attempt in attempts:
        with pytest.raises(SlackApiError) as failure:
            attempt()
        refusals.append(refusal_of(failure))
    assert refusals == [
        "channel_not_found",
        "not_in_channel",
        "name_taken",
        "invalid_name_specials",
        "invalid_blocks",
        "message_not_found",
        "users_not_found",
        "user_not_found",
        "invalid_metadata_schema",
        "unknown_method",
    ]


def test_an_archived_channel_takes_no_message_until_it_is_opened_again(slack: WebClient) -> None:
    channel = slack.conversations_create(name="old")["channel"]["id"]
    slack.conversations_archive(channel=channel)
    with pytest.raises(SlackApiError) as failure:
        slack.chat_postMessage(channel=channel, text="x")
    assert refusal_of(failure) == "is_archived"
    slack.conversations_unarchive(channel=channel)
    assert slack.chat_postMessage(channel=channel, text="x")["ok"]


def test_someone_outside_joins_and_may_then_write(loop: Loop, slack: WebClient) -> None:
    channel = slack.conversations_create(name="open")["channel"]["id"]
    other = client_of(loop, token="xoxb-other")
    other.conversations_join(channel=channel)
    assert other.chat_postMessage(channel=channel, text="here")["ok"]
    with pytest.raises(SlackApiError) as failure:
        slack.conversations_invite(channel=channel, users=["U0ENG"])
    assert refusal_of(failure) == "already_in_channel"


def test_messages_outlive_the_stand_in(tmp_path: Path) -> None:
    folder = tmp_path / "slack"
    seed_workspace(folder, tokens={TOKEN: "U0BOT"}, users=USERS, channels=("general",))
    first = Loop("127.0.0.1", 0, SlackStandin(folder).answer)
    client_of(first).chat_postMessage(channel="general", text="kept")
    first.stop()
    second = Loop("127.0.0.1", 0, SlackStandin(folder).answer)
    channel = client_of(second).conversations_list()["channels"][0]["id"]
    history = client_of(second).conversations_history(channel=channel)["messages"]
    second.stop()
    assert [message["text"] for message in history] == ["kept"]
    assert (folder / "messages.jsonl").read_text().count("\n") == 1


def test_too_many_calls_are_told_when_to_come_back(loop: Loop, slack: WebClient) -> None:
    address = f"http://127.0.0.1:{loop.port}/_control/limits"
    assert httpx.put(address, json={"auth.test": 2}).status_code == 200
    slack.auth_test()
    slack.auth_test()
    with pytest.raises(SlackApiError) as failure:
        slack.auth_test()
    assert failure.value.response.status_code == 429
    assert 0 < int(failure.value.response.headers["Retry-After"]) <= 60


def test_fault_rate_limited(loop: Loop, slack: WebClient) -> None:
    show(loop, kind="rate_limited", target="auth.test", retry_after_s=7)
    with pytest.raises(SlackApiError) as failure:
        slack.auth_test()
    assert refusal_of(failure) == "ratelimited"
    assert failure.value.response.headers["Retry-After"] == "7"
    assert slack.auth_test()["ok"]


def test_fault_error_shows_only_for_its_method_and_its_times(loop: Loop, slack: WebClient) -> None:
    show(loop, kind="error", target="auth.test", error="token_revoked", times=2)
    assert slack.users_info(user="U0CTO")["ok"]
    for _ in range(2):
        with pytest.raises(SlackApiError) as failure:
            slack.auth_test()
        assert refusal_of(failure) == "token_revoked"
    assert slack.auth_test()["ok"]


@pytest.mark.parametrize(("kind", "status"), [("server_error", 503), ("garbage", 200)])
def test_faults_that_are_no_json(loop: Loop, slack: WebClient, kind: str, status: int) -> None:
    show(loop, kind=kind)
    with pytest.raises(SlackApiError) as failure:
        slack.auth_test()
    assert "non-JSON" in str(failure.value)
    assert failure.value.response.status_code == status
    assert slack.auth_test()["ok"]


@pytest.mark.parametrize(("kind", "is_posted"), [("commit_then_timeout", True), ("timeout", False)])
def test_faults_that_leave_the_client_in_doubt(loop: Loop, kind: str, is_posted: bool) -> None:
    slack = client_of(loop, timeout=1)
    channel = slack.conversations_create(name="doubt")["channel"]["id"]
    show(loop, kind=kind, target="chat.postMessage")
    with pytest.raises(TimeoutError):
        slack.chat_postMessage(channel=channel, text="in doubt")
    assert [line["event"] for line in kept(loop)] == (["posted"] if is_posted else [])
    texts = [m["text"] for m in slack.conversations_history(channel=channel)["messages"]]
    assert texts == (["in doubt"] if is_posted else [])


def test_fault_commit_then_dropped_connection(loop: Loop, slack: WebClient) -> None:
    channel = slack.conversations_create(name="dropped")["channel"]["id"]
    show(loop, kind="commit_then_timeout", target="chat.postMessage", hold_s=0)
    with pytest.raises((ConnectionError, URLError)):
        slack.chat_postMessage(channel=channel, text="kept though unanswered")
    assert len(kept(loop)) == 1


def test_fault_outage_lasts_until_it_is_cleared(loop: Loop, slack: WebClient) -> None:
    show(loop, kind="outage", times=None)
    for _ in range(2):
        with pytest.raises((ConnectionError, URLError)):
            slack.auth_test()
    httpx.delete(f"http://127.0.0.1:{loop.port}/_control/faults")
    assert slack.auth_test()["ok"]


def test_a_fault_that_does_not_exist_is_refused(loop: Loop) -> None:
    answer = httpx.post(f"http://127.0.0.1:{loop.port}/_control/faults", json={"kind": "sulk"})
    assert answer.status_code == 400
    assert "sulk" in answer.text
