# SPDX-License-Identifier: Apache-2.0
"""Sends what is queued, exactly as sure as each channel allows, and settles notices.

A delivery is `sending` before the first byte leaves. One that is found `sending` (its sender
died) is looked up where the channel can be asked; where it cannot, it is counted uncertain and
not sent again, because twice is worse than once with a question mark. A channel that can be asked
and gives no answer is asked again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from blackstart.engine.acting import audience_name
from blackstart.engine.installation import Installation
from blackstart.engine.offered import build
from blackstart.engine.patience import record_in_time
from blackstart.engine.telling import Notice
from blackstart.model import events as ev
from blackstart.model.authority import TEAM, persons_asked
from blackstart.model.codec import to_bytes
from blackstart.model.errors import BlackstartError, JournalFailed
from blackstart.model.heads import head_of
from blackstart.model.incident import Incident
from blackstart.model.notices import EVERYONE, INCIDENT_CHANNEL, STAFF_CHANNEL, compose
from blackstart.model.plan import Plan
from blackstart.model.states import DeliveryState
from blackstart.model.stopping import OVERDUE
from blackstart.ports.channel import (
    Accepted,
    Channel,
    Delivery,
    Message,
    Missing,
    Rejected,
    Uncertain,
)
from blackstart.ports.crew import Signal
from blackstart.ports.journal import Entry, Journal, Parcel, QueuedDelivery

ATTEMPTS = 8
_PAUSE_MOST_S = 60.0
_ASKED_AT_MOST = 27  # attempts, some twenty minutes; then it stays uncertain
_SENT = "sent, and nobody knows whether it arrived"  # the reasons of doubt begin with one of these
_SENT_ELSEWHERE = "the host that was lost may have sent it"
_NO_ANSWER = "; asked for it: "
_OUR_OWN = ("person", "role", "team", "teams", "staff")  # kinds of audience
_ENDED = (DeliveryState.ACCEPTED, DeliveryState.REFUSED, DeliveryState.UNCERTAIN)


def queue_notices(
    house: Installation, journal: Journal, notices: Sequence[Notice], incident: Incident
) -> None:
    """Put notices and one delivery per recipient into the journal, in one transaction."""
    entries = [one for notice in notices for one in _queued(house, journal, notice, incident)]
    journal.append(incident.id, house.holder, entries, expect_seq=incident.seq)


def _queued(
    house: Installation, journal: Journal, notice: Notice, incident: Incident
) -> Iterator[Entry]:
    """Yield the notice with its deliveries, and its end at once where there is nobody to tell."""
    text = compose(notice.kind, house.plan, incident, notice.about, late_s=notice.late_s)
    body = text.body + _how_far(journal, notice, incident) + _foot(house, journal, notice, incident)
    message = Message(
        subject=text.subject, body=body, kind=notice.kind, incident=incident.id, tone=text.tone
    )
    has_channel = notice.channel in house.plan.channels
    recipients = recipients_of(house, journal, incident, notice) if has_channel else ()
    reason = f"nobody is known in '{notice.audience}'"
    if not has_channel:
        reason = f"the plan has no channel called '{notice.channel}'"
    queued = ev.NoticeQueued(
        notice=notice.name,
        kind=notice.kind,
        channel=notice.channel,
        audience=notice.audience,
        recipients=len(recipients),
        subject=text.subject,
        body=house.evidence.keep("notice.txt", body.encode()),
        run=notice.run,
        step=notice.step,
        reason="" if recipients else reason,
        late_s=notice.late_s,
    )
    parcels = tuple(
        Parcel(notice=notice.name, channel=notice.channel, person=person, message=message)
        for person in recipients
    )
    yield Entry(event=queued, parcels=parcels)
    if not recipients:
        yield Entry(event=_settled(notice.name, (), "", queued.reason))


def _how_far(journal: Journal, notice: Notice, incident: Incident) -> str:
    """Return how far the slow actions are that the notice speaks of, as they tell it themselves."""
    subject = ""
    if notice.kind == "delayed":
        subject = notice.about.rpartition(":")[2] + "."
    elif notice.kind == "asked" and incident.asks[notice.about].opened.kind == OVERDUE:
        opened = incident.asks[notice.about].opened
        subject = f"{opened.step}.{opened.action}"
    rows = [
        f"- {name}: {done:.0f} of {total:.0f} {unit}"
        for name, done, total, unit in journal.progress(incident.id)
        if subject and name.startswith(subject)
    ]
    return "\n".join(("\n\nSo far:", *rows)) if rows else ""


def _foot(house: Installation, journal: Journal, notice: Notice, incident: Incident) -> str:
    """Return what stands below a message to our own people: the head of the record, so that a
    record that was cut afterwards can be told by any message that is left, and mirrors that fail.
    """
    kind = notice.audience.partition(":")[0]
    if notice.channel not in (INCIDENT_CHANNEL, STAFF_CHANNEL) and kind not in _OUR_OWN:
        return ""
    newest = journal.read(incident.id, incident.seq - 1)[0]
    faults = house.say_mirrors()
    head = f"Record: {head_of(newest.chain, newest.seq, newest.digest)}"
    return f"\n\n{head}" + (f"\n{faults}" if faults else "")


def recipients_of(
    house: Installation, journal: Journal, incident: Incident, notice: Notice
) -> tuple[str, ...]:
    """Return the person ids of a notice's audience; "" stands for a channel's own place.

    Everyone, over a channel that has no place of its own, is everybody of the plan. Who is affected
    by several systems under several ids, but one address, is one recipient.
    """
    plan = house.plan
    address_kind = house.verbs[plan.channels[notice.channel].use].address_kind
    if notice.audience == EVERYONE and not address_kind:
        return ("",)
    kind, name = _kind_and_name(plan, notice.audience)
    if kind == "person":
        return (name,)
    if kind == "role":
        return persons_asked(plan, incident, name)
    if kind == "team":
        return persons_asked(plan, incident, f"{TEAM}{name}")
    if notice.audience == "teams":
        return tuple(dict.fromkeys(p for team in plan.teams.values() for p in team.members))
    if notice.audience in {EVERYONE, "staff"}:
        return tuple(plan.people)
    found = journal.audience(audience_name(notice.run or incident.id, notice.audience))
    by_address = {journal.address_of(person, address_kind) or person: person for person in found}
    return tuple(by_address.values())


def _kind_and_name(plan: Plan, audience: str) -> tuple[str, str]:
    """Split `role:NAME` and the like; a plan names its roles and teams without saying which."""
    if audience in plan.roles:
        return "role", audience
    if audience in plan.teams:
        return "team", audience
    kind, _, name = audience.partition(":")
    return kind, name


def deliver(
    house: Installation,
    journal: Journal,
    delivery: QueuedDelivery,
    halt: Signal,
    *,
    looks_first: bool = False,
) -> None:
    """Carry one delivery one move further. Raises JournalFailed; everything else is a state.

    Nothing is sent once `halt` says that this driver is over, or that its claim is another's:
    whoever drives next looks, and perhaps sends. `looks_first`: the record came back from a
    mirror, so what seems never to have been sent may have been, by the host that was lost; a
    channel that can be asked is asked.
    """
    way = _way_to(house, journal, delivery)
    if way is None:
        return
    channel, address = way
    doubt = _doubt_about(delivery, looks_first=looks_first and channel.can_look_up)
    if delivery.state != DeliveryState.SENDING:
        journal.move_delivery(delivery.key, DeliveryState.SENDING)
        if halt.is_set():
            return
    result = Uncertain(reason=doubt) if doubt else _send(house, channel, delivery, address)
    if isinstance(result, Uncertain) and channel.can_look_up:
        result = _look_up(house, channel, delivery, address, doubt or f"{_SENT}: {result.reason}")
    record_in_time(house, halt, lambda: _note(house, journal, delivery, result))


def _way_to(
    house: Installation, journal: Journal, delivery: QueuedDelivery
) -> tuple[Channel, str] | None:
    """Return the channel and the address; where there is none the delivery is refused."""
    try:
        channel = _channel(house, delivery.channel)
        address = _address(house, journal, channel, delivery.person)
    except JournalFailed:  # nobody knows the address now; that is no refusal
        raise
    except BlackstartError as error:
        if delivery.state != DeliveryState.SENDING:
            journal.move_delivery(delivery.key, DeliveryState.SENDING)
        journal.move_delivery(delivery.key, DeliveryState.REFUSED, reason=house.redact(error.what))
        return None
    if address is None:
        reason = f"there is no {channel.address_kind} address for {delivery.person}"
        journal.move_delivery(delivery.key, DeliveryState.REFUSED, reason=reason)
        return None
    return channel, address


def _doubt_about(delivery: QueuedDelivery, *, looks_first: bool) -> str:
    """Return why the message may be there already, "" when it is not."""
    if delivery.state == DeliveryState.SENDING:
        return f"{_SENT}: the sender died meanwhile"
    if looks_first and not delivery.attempts:
        return _SENT_ELSEWHERE
    doubt = delivery.reason.partition(_NO_ANSWER)[0]
    return doubt if doubt.startswith((_SENT, _SENT_ELSEWHERE)) else ""


def _channel(house: Installation, name: str) -> Channel:
    spec = house.plan.channels[name]
    channel = build(house.verbs, spec.use, spec.params)
    assert isinstance(channel, Channel)
    return channel


def _address(house: Installation, journal: Journal, channel: Channel, person: str) -> str | None:
    if not channel.address_kind:
        return ""
    known = house.plan.people.get(person)
    if known:
        return known.addresses.get(channel.address_kind)
    return journal.address_of(person, channel.address_kind)


def _send(
    house: Installation, channel: Channel, delivery: QueuedDelivery, address: str
) -> Delivery:
    try:
        return channel.send(delivery.message, delivery.key, address, house.secrets.reveal)
    except BlackstartError as error:
        return Rejected(reason=error.what, again=True)
    except Exception as error:  # noqa: BLE001  a channel's bug must not silence the other channels
        return Uncertain(reason=f"{delivery.channel} broke: {type(error).__name__}: {error}")


def _look_up(
    house: Installation, channel: Channel, delivery: QueuedDelivery, address: str, doubt: str
) -> Delivery:
    """Ask the channel whether it has the message; without an answer it is asked again later."""
    try:
        found = channel.lookup(delivery.key, address, house.secrets.reveal)
    except Exception as error:  # noqa: BLE001  as above
        found = Uncertain(reason=f"{delivery.channel} broke: {type(error).__name__}: {error}")
    if isinstance(found, Missing):
        return Rejected(reason="it was sent and did not arrive", again=True, after_s=0.0)
    if isinstance(found, Uncertain):
        return Rejected(reason=f"{doubt}{_NO_ANSWER}{found.reason}", again=True)
    return found


def _note(
    house: Installation, journal: Journal, delivery: QueuedDelivery, result: Delivery
) -> None:
    match result:
        case Accepted(receipt=receipt):
            journal.move_delivery(
                delivery.key, DeliveryState.ACCEPTED, receipt=house.redact(receipt)
            )
        case Uncertain(reason=reason):
            journal.move_delivery(
                delivery.key, DeliveryState.UNCERTAIN, reason=house.redact(reason)
            )
        case Rejected(reason=reason, again=True, after_s=after_s) if delivery.attempts < (
            _ASKED_AT_MOST if reason.startswith(_SENT) else ATTEMPTS
        ):
            pause_s = min(_PAUSE_MOST_S, max(after_s, 2.0**delivery.attempts / 2))
            journal.move_delivery(
                delivery.key,
                DeliveryState.QUEUED,
                due_at=house.clock.now() + timedelta(seconds=pause_s),
                reason=house.redact(reason),
            )
        case Rejected(reason=reason):
            may_be_there = reason.startswith(_SENT)  # else another channel takes it
            end = DeliveryState.UNCERTAIN if may_be_there else DeliveryState.REFUSED
            journal.move_delivery(delivery.key, end, reason=house.redact(reason))


def settle(house: Installation, journal: Journal, incident: Incident) -> bool:
    """Record every notice whose deliveries have all ended; say whether there was one."""
    entries = []
    for name, notice in incident.notices.items():
        if notice.settled is None:
            rows = journal.deliveries(incident.id, name)
            if rows and all(row.state in _ENDED for row in rows):
                receipts = to_bytes([(row.key, row.state, row.receipt, row.reason) for row in rows])
                receipt = house.evidence.keep("receipts.json", receipts)
                reasons = sorted(
                    {row.reason for row in rows if row.state != DeliveryState.ACCEPTED}
                )
                entries.append(Entry(event=_settled(name, rows, receipt, "; ".join(reasons))))
    if entries:
        journal.append(incident.id, house.holder, entries, expect_seq=incident.seq)
    return bool(entries)


def _settled(
    name: str, rows: tuple[QueuedDelivery, ...], receipt: str, reason: str
) -> ev.NoticeSettled:
    def count(state: DeliveryState) -> int:
        return sum(row.state == state for row in rows)

    return ev.NoticeSettled(
        notice=name,
        accepted=count(DeliveryState.ACCEPTED),
        refused=count(DeliveryState.REFUSED),
        uncertain=count(DeliveryState.UNCERTAIN),
        receipt=receipt,
        reason=reason,
    )
