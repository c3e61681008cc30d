# SPDX-License-Identifier: Apache-2.0
"""The world outside, simulated: what actions really do and what channels really deliver.

It counts for itself and knows nothing of the engine; whatever must not happen is noted as a fault
at the moment it happens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from blackstart.model.errors import WorldFailed
from blackstart.ports.action import (
    Context,
    Done,
    Failed,
    Finding,
    NotDone,
    Outcome,
    Partial,
    Running,
    Unknown,
)
from blackstart.ports.channel import (
    Accepted,
    Delivery,
    Lookup,
    Message,
    Missing,
    Rejected,
    Uncertain,
)
from tests.simulation.stage import Stage

STOPPED = Failed(summary="stopped on the way", hint="Look, then go on.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """How one attempt goes. `ends`: done, failed, failed_after (the work is done, the answer is
    lost), broken (an exception), hanging. `goes_on`: the work goes on in the world without us.
    """

    takes_s: float = 2.0
    ends: str = "done"
    goes_on: bool = False
    halves: bool = False
    lies: bool = False  # says afterwards that nothing was done
    dark_s: float = 0.0  # for so long after its begin nobody can see how it stands


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """How one sending goes: accepted, lost_reply (delivered), lost, refused, later, broken."""

    ends: str = "accepted"
    takes_s: float = 0.3


@dataclass(slots=True, kw_only=True)
class World:
    """Everything outside of one simulated installation."""

    stage: Stage
    is_started: Callable[[str], bool]  # is the start of this attempt in the record
    fate: Callable[[str], Fate]
    passage: Callable[[str, str, int], Passage]
    runs: Mapping[str, str] = field(default_factory=dict)  # system → its run
    may: Callable[[str, str], str] = lambda _run, _what: ""  # what forbids an effect, if anything
    live: dict[str, str] = field(default_factory=dict)  # place → key of what stands there
    half: dict[str, str] = field(default_factory=dict)
    going: dict[str, str] = field(default_factory=dict)  # key → place
    begun: Counter[str] = field(default_factory=Counter)
    begun_at_s: dict[str, float] = field(default_factory=dict)
    effects: Counter[str] = field(default_factory=Counter)
    ruled_out: set[str] = field(default_factory=set)
    passed: dict[str, bool] = field(default_factory=dict)  # check → whether its newest look did
    looks: dict[str, int] = field(default_factory=dict)  # check → attempt of that look
    by_hand: set[str] = field(default_factory=set)  # run/step
    tries: Counter[str] = field(default_factory=Counter)
    letters: Counter[tuple[str, str]] = field(default_factory=Counter)
    names: dict[str, int] = field(default_factory=dict)  # of letters; keys are never the same
    lost_replies: int = 0
    faults: list[str] = field(default_factory=list)

    def blame(self, fault: str) -> None:
        """Note something that must not happen."""
        self.stage.tell(f"FAULT {fault}")
        self.faults.append(fault)

    # Actions.

    def perform(self, context: Context, gives: str, seals: str) -> Outcome:
        """Do the work of an attempt, as its fate wants it."""
        self.stage.point("perform before")
        if context.cancelled():
            return STOPPED
        key, place = context.key, place_of(context.key)
        self._note_begin(key)
        self._clear(place)  # what an earlier attempt left
        fate = self.fate(key)
        if seals:
            gives = str(context.seal(seals, "s3cret"))
        context.progress(1.0, 2.0, "parts")
        outcome = self._go_on(context, place, fate) if fate.goes_on else self._work(context, fate)
        self.stage.point("perform after")
        return outcome or self._ending(context, fate, gives)

    def _note_begin(self, key: str) -> None:
        self.stage.tell(f"     begins {key}")
        if not self.is_started(key):
            self.blame(f"{key} is performed and its start is not in the record")
        if self.begun[key] and key not in self.ruled_out:
            self.blame(f"{key} is performed again, and its earlier performance was not ruled out")
        self.ruled_out.discard(key)
        self.begun[key] += 1
        self.begun_at_s[key] = self.stage.now_s

    def _work(self, context: Context, fate: Fate) -> Outcome | None:
        place = place_of(context.key)
        takes_s = 1e9 if fate.ends == "hanging" else fate.takes_s
        for part in range(2):
            self._pass(context, takes_s / 2)
            if context.cancelled():
                return STOPPED
            if part == 0 and fate.halves:
                self.half[place] = context.key
        if fate.ends != "failed":
            self.take_effect(context.key)
        return None

    def _pass(self, context: Context, seconds: float) -> None:
        self.stage.sleep(max(0.0, min(seconds, context.left_s() + 0.01)), context.cancelled)

    def _go_on(self, context: Context, place: str, fate: Fate) -> Outcome | None:
        key = context.key
        if context.cancelled():
            return STOPPED
        self.going[key] = place

        def end() -> None:
            if self.going.pop(key, ""):
                self.take_effect(key)

        self.stage.after(fate.takes_s, end)
        while key in self.going:
            self._pass(context, max(fate.takes_s / 4, 0.1))
            if context.cancelled() and self.going.pop(key, ""):
                return STOPPED
        return None if self.live.get(place) == key else STOPPED

    def _ending(self, context: Context, fate: Fate, gives: str) -> Outcome:
        match fate.ends:
            case "failed" | "failed_after":
                return Failed(summary="the provider said no", hint="Look at it, then retry.")
            case "broken":
                raise ArithmeticError("a provider's bug")
            case "unreachable":
                raise WorldFailed("The provider hung up.", "Look at it, then retry.")
            case _:
                return Done(summary="done", outputs={"value": gives})

    def take_effect(self, key: str) -> None:
        """The work of this attempt stands in the world from now on."""
        place = place_of(key)
        self.stage.tell(f"     EFFECT {key}")
        self.effects[key] += 1
        if self.effects[key] > 1:
            self.blame(f"the effect of {key} was made twice")
        if place in self.live:
            self.blame(f"{key} takes effect while {self.live[place]} stands")
        reason = self.may(place.split("/")[0], place.partition("/")[2])
        if reason:
            self.blame(f"{key}: {reason}")
        self.half.pop(place, None)
        self.live[place] = key

    def _clear(self, place: str) -> None:
        self.live.pop(place, None)
        self.half.pop(place, None)
        for key in [key for key, of in self.going.items() if of == place]:
            del self.going[key]

    def inspect(self, context: Context, gives: str) -> Finding:
        """Say what can be seen of an attempt."""
        self.stage.point("inspect before")
        key, place = context.key, place_of(context.key)
        self.tries[f"inspect {key}"] += 1
        finding: Finding = NotDone()
        if self.stage.now_s < self.begun_at_s.get(key, -1e9) + self.fate(key).dark_s:
            finding = Unknown(note="it does not answer")
        elif key in self.going and not self.fate(key).lies:
            finding = Running(note="it goes on")
        elif self.live.get(place) == key and not self.fate(key).lies:
            finding = Done(summary="found", outputs={"value": gives})
        elif self.half.get(place) == key:
            finding = Partial(note="half of it is there")
        else:
            self.ruled_out.add(key)
        self.stage.point("inspect after")
        return finding

    def undo(self, context: Context) -> Outcome:
        """Take back what stands at the place, whichever attempt made it."""
        self.stage.point("undo before")
        place = place_of(context.key)
        if context.cancelled():
            return STOPPED
        self.tries[f"undo {place}"] += 1
        if self.fate(f"undo {place} {self.tries[f'undo {place}']}").ends != "done":
            return Failed(summary="it is held", hint="Let it go, then retry.")
        self._clear(place)
        self.stage.tell(f"     UNDONE {place}")
        self.stage.point("undo after")
        return Done(summary="taken back")

    # Checks.

    def check(self, context: Context) -> Outcome:
        """Look once."""
        self.stage.point("check before")
        fate = self.fate(context.key)
        self.stage.sleep(fate.takes_s, context.cancelled)
        self.stage.point("check after")
        is_well = fate.ends in ("done", "hanging")
        self._note_look(context.key, is_well)
        if not is_well:
            return Failed(summary="it does not answer", hint="Look at it.")
        now = context.now().isoformat()
        return Done(summary="it answers", outputs={"first_service_at": now, "recovered_to": now})

    def _note_look(self, key: str, is_well: bool) -> None:
        """Keep the look of the newest attempt; a sleeper's look reaches nobody."""
        place, attempt = place_of(key), int(key.rpartition("/")[2])
        if attempt >= self.looks.get(place, 0):
            self.looks[place] = attempt
            self.passed[place] = is_well

    # Channels.

    def send(self, channel: str, key: str, message: Message) -> Delivery:
        """Deliver, or not. Between the sender's last look at its claim and this nothing comes."""
        self.stage.point("send before", may_yield=False)
        self.tries[f"send {key}"] += 1
        name = self._name(channel, key)
        passage = self.passage(channel, name, self.tries[f"send {key}"])
        if passage.ends in ("accepted", "lost_reply", "broken"):
            self._deliver(channel, key, message)
        if passage.ends in ("lost_reply", "lost", "broken"):
            self.lost_replies += 1
        self.stage.sleep(passage.takes_s)
        self.stage.point("send after")
        match passage.ends:
            case "refused":
                return Rejected(reason="no such mailbox", again=False)
            case "later":
                return Rejected(reason="try later", again=True)
            case "lost" | "lost_reply":
                return Uncertain(reason="the line broke")
            case "broken":
                raise ArithmeticError("a channel's bug")
            case _:
                return Accepted(receipt=key)

    def _deliver(self, channel: str, key: str, message: Message) -> None:
        self.letters[channel, key] += 1
        name = self._name(channel, key)
        self.stage.tell(f"     LETTER {name} {message.kind}")
        if self.letters[channel, key] > 1:
            self.blame(f"{channel} delivered {message.kind} ({name}) twice")
        if message.kind == "recovered":
            reason = self.may("", f"recovered {message.subject}")
            if reason:
                self.blame(f"users are told that it works: {reason}")

    def _name(self, channel: str, key: str) -> str:
        return f"{channel} {self.names.setdefault(key, len(self.names) + 1)}"

    def lookup(self, channel: str, key: str) -> Lookup:
        """Say whether the channel has the message."""
        self.stage.point("lookup before")
        self.tries[f"lookup {key}"] += 1
        name = f"lookup {self._name(channel, key)}"
        passage = self.passage(channel, name, self.tries[f"lookup {key}"])
        found: Lookup = Accepted(receipt=key) if self.letters[channel, key] else Missing()
        if passage.ends != "accepted":
            found = Uncertain(reason="it does not answer")
        self.stage.point("lookup after")
        return found


def place_of(key: str) -> str:
    """Return where an attempt works: its key without the attempt."""
    return key.rpartition("/")[0]
