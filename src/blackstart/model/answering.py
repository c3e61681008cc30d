# SPDX-License-Identifier: Apache-2.0
"""What a question can be answered with, and what a person types: the whole command. Pure.

It needs no plan, so that `status` answers at once.
"""

from __future__ import annotations

from blackstart.model.views import AskView, Incident

LATER = ("repair", "restore-part", "wait")  # decisions after which it is decided again
ANSWERS = {
    "acknowledge": ("acknowledged",),
    "decision": ("rebuild", *LATER, "stand-down"),
    "gate": ("go", "hold", "stand-down"),
    "manual": ("done", "failed"),
    "overdue": ("wait", "cancel", "by-hand", "stand-down"),
    "stopped": ("retry", "skip", "stand-down"),
    "undo": ("retry", "leave"),
    "signoff": ("signed",),
    "customer": ("confirmed", "given-up"),
    "question": (),  # free text
}

_WHOLE = {
    "acknowledge": "acknowledge {incident}",
    "decision": "activate {incident} --why REASON",
    "gate": "approve {step}",
    "overdue": "step wait {step} --for 30m",
    "stopped": "step retry {step}",
    "signoff": "close {incident}",
}
_INSTEAD = {
    "decision": "activate {incident} --option OPTION --why REASON",
    "gate": "reject {step} --why REASON",
    "overdue": "step cancel {step} --why REASON",
    "stopped": "step done {step} --evidence FILE",
    "manual": "answer {incident} {ask} failed --why REASON",
}


def commands_for(incident: Incident, ask: AskView) -> tuple[str, ...]:
    """Return the command that answers the question, and after it the one that says otherwise."""
    kind = ask.opened.kind
    whole = _by_hand(incident, ask) if kind == "manual" else _WHOLE.get(kind)
    forms = (whole or f"answer {{incident}} {{ask}} {_answers(ask)}", _INSTEAD.get(kind, ""))
    named = {
        "incident": incident.id,
        "ask": short_name(incident, ask),
        "step": f"{incident.id} {ask.opened.step}{_system(incident, ask)}",
    }
    return tuple(f"blackstart {form.format(**named)} --as YOU" for form in forms if form)


def _by_hand(incident: Incident, ask: AskView) -> str:
    """Return what says that it is done; where two are asked of one step, the question is named."""
    opened = ask.opened
    same = [
        one
        for one in incident.open_asks()
        if (one.opened.kind, one.opened.run, one.opened.step) == ("manual", opened.run, opened.step)
    ]
    words = ["answer {incident} {ask} done" if len(same) > 1 else "step done {step}"]
    words += [f"--output {name}=VALUE" for name in opened.outputs]
    words += ["--evidence FILE"] * opened.needs_evidence
    return " ".join(words)


def _answers(ask: AskView) -> str:
    return "|".join(ANSWERS[ask.opened.kind]) or "TEXT"


def _system(incident: Incident, ask: AskView) -> str:
    """Return the option that says which system is meant, where there are several."""
    system = system_of(incident, ask)
    return f" --system {system}" if system and len(incident.runs) > 1 else ""


def system_of(incident: Incident, ask: AskView) -> str:
    """Return the system that the question is about, "" when it is about all of them."""
    run = incident.runs.get(ask.opened.run)
    return run.started.system if run else ""


def title_of(incident: Incident, ask: AskView) -> str:
    """Return the system and the step that the question is about, without one its own name."""
    opened = ask.opened
    system = system_of(incident, ask)
    return f"{system} {opened.step} ({opened.kind})" if system and opened.step else opened.ask


def short_name(incident: Incident, ask: AskView) -> str:
    """Return the name of the question's step where that says which is meant, else its own name."""
    step = ask.opened.step
    fitting = [one for one in incident.open_asks() if step in one.opened.ask]
    return step if step and len(fitting) == 1 else ask.opened.ask
