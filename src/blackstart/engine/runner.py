# SPDX-License-Identifier: Apache-2.0
"""Drives one incident under a claim: decide, record, act, record, until nothing is left to do.

There is one door: a fresh incident and one whose driver died are driven by the same `drive`.
Whatever was under way is seen as in doubt by the first decision and looked at before anything
is done. Only facts carry over; this module keeps nothing but what its own threads hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from blackstart.engine.acting import Job, Reins, carry_out, job_of, started
from blackstart.engine.claiming import take_claim
from blackstart.engine.decide import (
    Act,
    Cancel,
    Decision,
    Draft,
    Record,
    TakeBack,
    WakeAt,
    decide,
    runs_touched,
)
from blackstart.engine.held import Held
from blackstart.engine.installation import Installation
from blackstart.engine.outbox import deliver, queue_notices, settle
from blackstart.engine.patience import AGAIN_S, Leash
from blackstart.engine.taking_back import take_back
from blackstart.engine.telling import Notice
from blackstart.model import events as ev
from blackstart.model.errors import (
    JournalFailed,
    JournalUnavailable,
    Refused,
    Superseded,
    WorldFailed,
)
from blackstart.model.incident import Incident, advance
from blackstart.model.states import DeliveryState, IncidentState
from blackstart.ports.crew import Hands, Signal
from blackstart.ports.journal import Entry
from blackstart.world.clock import SteadyClock

_STOP_BEFORE_S = 1.0  # to end what is under way before somebody else may take the claim
_ACTIONS_AT_ONCE = 8
_SENDERS = 4  # for each channel
_SENT_AT_ONCE = 200
_QUEUED_AT_ONCE = 20  # notices in one transaction
_TAKING_BACK = ""  # in place of an action's name


def drive(
    house: Installation,
    incident: str,
    stop: Signal,
    is_enough: Callable[[Incident], bool] = lambda _: False,
) -> Incident:
    """Drive the incident until it is closed, `is_enough` says so, or `stop` is set.

    While the record cannot be written nothing is begun, and what is under way goes on for as long
    as the claim holds. Returns the incident as the facts tell it then. Raises Refused when another
    process holds the claim (or took it over), JournalFailed when the record stays out of reach.
    """
    claim = take_claim(house, incident)
    clock = SteadyClock(house.clock)
    state = Held(
        house=replace(house, clock=clock),
        clock=clock,
        journal=house.journal.with_fence(incident, claim.token),
        id=incident,
        stop=stop,
        claim=claim,
        halt=house.crew.signal(),
        over=house.crew.signal(),
        woken=house.crew.signal(),
    )
    try:
        with ExitStack() as pools:
            pools.callback(_let_go, state)  # before the pools are waited for
            return _turn(state, pools, is_enough)
    finally:  # nothing of ours runs any more: only now may somebody else take the claim
        with suppress(JournalFailed):  # it then ends by itself
            house.journal.release(incident, house.holder)


def _turn(state: Held, pools: ExitStack, is_enough: Callable[[Incident], bool]) -> Incident:
    workers = _pool(state, pools, "action", _ACTIONS_AT_ONCE)
    while True:
        try:
            if _is_over(state, pools, workers, is_enough) and state.incident:
                return state.incident
        except JournalUnavailable as trouble:
            _hold_on(state, trouble)


def _is_over(
    state: Held, pools: ExitStack, workers: Hands, is_enough: Callable[[Incident], bool]
) -> bool:
    """Go on as far as is possible now; say whether there is nothing more to do here."""
    state.claim.renew()
    has_ended = _collect(state)  # first, so that the ends of what is let go are read below
    has_news = _read(state)
    incident = state.incident
    if incident is None:
        raise Refused(f"There is no incident '{state.id}'.", "`blackstart status` lists them.")
    _settle(state, incident)
    if not state.sendings and (is_finished(incident) or is_enough(incident)):
        return True
    if state.stop.is_set():
        return True
    is_time = _is_due(state, incident) or has_news or has_ended or _can_feed(state)
    if not (is_time and _carry_out(state, incident, workers)):
        _send(state, incident, pools)
        state.house.crew.rest(state.woken, _next_at(state))
    return False


def _hold_on(state: Held, trouble: JournalUnavailable) -> None:
    """Wait for the record, while the claim is certainly ours. Raises the trouble after that."""
    if state.claim.left_s() < _STOP_BEFORE_S or state.stop.wait(AGAIN_S):
        raise trouble
    _look_again(state, trouble)


def _look_again(state: Held, trouble: WorldFailed) -> None:
    """Tell of what is in the way, and decide anew soon: nothing may come that would wake us."""
    state.house.trouble(trouble)
    soon = state.house.clock.now() + timedelta(seconds=AGAIN_S)
    state.again_at = min(state.again_at or soon, soon)


def _pool(state: Held, pools: ExitStack, name: str, at_once: int) -> Hands:
    """Return the hands for this kind of work; leaving waits until they have ended.

    Each channel has its own, so that one that hangs delays no other.
    """
    if name not in state.pools:
        made = state.house.crew.hands(name, at_once)
        pools.callback(_let_go, state)
        state.pools[name] = pools.enter_context(made)
        pools.callback(_let_go, state)
    return state.pools[name]


def _let_go(state: Held) -> None:
    state.halt.set()
    state.over.set()


def is_finished(incident: Incident) -> bool:
    """Say whether nothing is left to drive: it is closed and every message has had its end."""
    return incident.state is IncidentState.CLOSED and all(
        notice.settled for notice in incident.notices.values()
    )


def _read(state: Held) -> bool:
    version = state.journal.version()
    if version == state.version:
        return False
    seq = state.incident.seq if state.incident else 0
    facts = state.journal.read(state.id, seq)
    for fact in facts:
        state.incident = advance(state.incident, fact)
        state.stirred.update(runs_touched(state.incident, fact.event))
    state.version = version
    if facts:
        state.clock.not_before(facts[-1].at)
    if state.incident and state.incident.state is IncidentState.STOOD_DOWN:
        state.halt.set()
    if state.incident and state.incident.plan != state.plan:
        if state.plan or state.incident.plan != state.incident.reported.plan:
            planned = state.house.replan(state.incident.plan)
            state.house = replace(planned, trouble=state.house.trouble, clock=state.clock)
        state.plan = state.incident.plan
    return bool(facts)


def _collect(state: Held) -> bool:
    """Forget what has ended; raise what went wrong in it (only a journal that failed can)."""
    ended = [key for key, future in state.actions.items() if future.done()]
    for key in ended:
        state.reins.pop(key, None)
        state.actions.pop(key).result()
        state.stirred.add(key[0])
    sent = [key for key, future in state.sendings.items() if future.done()]
    for name in sent:
        state.sendings.pop(name).result()
    state.may_settle = state.may_settle or bool(sent)
    return bool(ended)


def _settle(state: Held, incident: Incident) -> None:
    if state.may_settle:
        with _waiting_for_room(state):
            settled = _try(lambda i: settle(state.house, state.journal, i), incident)
            state.may_settle = not settled


def _is_due(state: Held, incident: Incident) -> bool:
    at = _next_at(state)
    is_due = at is not None and state.house.clock.now() >= at
    if is_due:
        state.again_at = None
        state.stirred.update(incident.runs)
    return is_due


def _next_at(state: Held) -> datetime | None:
    return min((at for at in (state.wake_at, state.again_at) if at), default=None)


def _try(append: Callable[[Incident], object], incident: Incident) -> bool:
    """Append on the state we know; False when facts came in between and it must be decided anew."""
    try:
        append(incident)
    except Superseded:  # nothing will be better when it is decided anew
        raise
    except Refused:
        return False
    return True


@contextmanager
def _waiting_for_room(state: Held) -> Iterator[None]:
    """Pass over what needs evidence that cannot be kept now: told, and tried again soon.

    Telling people needs evidence; the recovery goes on without it.
    """
    try:
        yield
    except JournalFailed:
        raise
    except WorldFailed as trouble:
        _look_again(state, trouble)


def _carry_out(state: Held, incident: Incident, workers: Hands) -> bool:
    """Carry out what is decided; say whether facts were added, so that it is decided again."""
    house, journal = state.house, state.journal
    state.stirred.update(islice(state.hungry, _free(state)))
    decisions = decide(house.plan, house.runbooks, incident, house.clock.now(), state.stirred)
    state.wake_at = min((d.at for d in decisions if isinstance(d, WakeAt)), default=None)
    records = [Entry(event=d.event) for d in decisions if isinstance(d, Record)]
    if records:
        _try(lambda i: journal.append(i.id, house.holder, records, expect_seq=i.seq), incident)
        return True
    notices = [d for d in decisions if isinstance(d, Notice)][:_QUEUED_AT_ONCE]
    if notices:
        with _waiting_for_room(state):
            _try(partial(queue_notices, house, journal, notices), incident)
            return True
    if _start(state, incident, _whose_turn(state, decisions), workers):
        return True
    for decision in decisions:
        match decision:
            case Cancel() if _name_of(decision) in state.reins:
                state.reins[_name_of(decision)].cancel.set()
            case TakeBack():
                _take_back(state, incident, decision, workers)
            case Draft():
                with _waiting_for_room(state):
                    _try(lambda i: _draft(state, i), incident)
                    return True
            case _:
                continue
    state.stirred.clear()
    return False


def _free(state: Held) -> int:
    return max(0, _ACTIONS_AT_ONCE - len(state.actions))


def _can_feed(state: Held) -> bool:
    return bool(state.hungry) and _free(state) > 0


def _whose_turn(state: Held, decisions: Iterable[Decision]) -> Sequence[Act]:
    """Return the actions that can really run now, and keep in mind the runs of those that wait."""
    acts = [d for d in decisions if isinstance(d, Act) and _name_of(d) not in state.actions]
    free = _free(state)
    for run in state.stirred:
        state.hungry.pop(run, None)
    state.hungry.update(dict.fromkeys(act.run for act in acts[free:]))
    return acts[:free]


def _start(state: Held, incident: Incident, acts: Sequence[Act], workers: Hands) -> bool:
    """Begin these actions, whose starts stand in the record first; say whether facts were added."""
    jobs = [(act, _job(state, incident, act)) for act in acts]
    entries = [
        Entry(event=started(job, state.house.verbs)) for act, job in jobs if not act.is_begun
    ]
    if entries and not _try(
        lambda i: state.journal.append(i.id, state.house.holder, entries, expect_seq=i.seq),
        incident,
    ):
        return True
    leash = Leash(state.halt, state.claim.is_ours)
    for act, job in jobs:
        reins = Reins(halt=leash, cancel=state.house.crew.signal())
        if act.is_begun and incident.runs[act.run].action(act.step, act.action).cancel:
            reins.cancel.set()  # before the first look, so that nothing is done first
        future = workers.submit(
            carry_out, state.house, state.journal, job, reins, is_in_doubt=act.is_in_doubt
        )
        state.reins[_name_of(act)] = reins
        state.actions[_name_of(act)] = future
        future.add_done_callback(lambda _: state.woken.set())
    return bool(entries)


def _name_of(one: Act | Cancel) -> tuple[str, str, str]:
    return one.run, one.step, one.action


def _job(state: Held, incident: Incident, act: Act) -> Job:
    run = incident.runs[act.run]
    system = run.started.system
    spec = next(s for s in state.house.runbooks[system].step(act.step).do if s.name == act.action)
    target = state.house.plan.systems[system].targets[run.started.target]
    return job_of(incident.id, run, target, act.step, spec, act.attempt)


def _take_back(state: Held, incident: Incident, order: TakeBack, workers: Hands) -> None:
    """Take a step back once nothing of it is in our hands any more."""
    if any(name[:2] == (order.run, order.step) for name in state.actions):
        return
    house = state.house
    run = incident.runs[order.run]
    future = workers.submit(
        take_back,
        house,
        state.journal,
        incident,
        run,
        house.plan.systems[run.started.system].targets[run.started.target],
        house.runbooks[run.started.system].step(order.step),
        Leash(state.over, state.claim.is_ours),
    )
    state.actions[order.run, order.step, _TAKING_BACK] = future
    future.add_done_callback(lambda _: state.woken.set())


def _draft(state: Held, incident: Incident) -> None:
    document = state.house.draft(incident, state.journal.read(incident.id))
    digest = state.house.evidence.keep("postmortem.md", document)
    drafted = Entry(event=ev.PostmortemDrafted(document=digest))
    state.journal.append(incident.id, state.house.holder, [drafted], expect_seq=incident.seq)


def _send(state: Held, incident: Incident, pools: ExitStack) -> None:
    """Send what is due; first of all, take up what a driver before us had begun to send.

    The claim is ours, so whatever is `sending` and not in our hands has lost its sender.
    """
    due = state.journal.due_deliveries(incident.id, state.house.clock.now(), _SENT_AT_ONCE)
    if not state.has_taken_up:
        state.has_taken_up = True
        left = state.journal.deliveries(incident.id)
        due = (*due, *(one for one in left if one.state == DeliveryState.SENDING))
    leash = Leash(state.over, state.claim.is_ours)
    is_doubted = incident.record_restored_at is not None
    for delivery in due:
        if delivery.key not in state.sendings:
            senders = _pool(state, pools, f"sender {delivery.channel}", _SENDERS)
            future = senders.submit(
                deliver, state.house, state.journal, delivery, leash, looks_first=is_doubted
            )
            state.sendings[delivery.key] = future
            future.add_done_callback(lambda _: state.woken.set())
