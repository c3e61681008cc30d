# SPDX-License-Identifier: Apache-2.0
"""The command line: talks to people, holds no rule of the domain.

Each command lives in a module of its own that is imported when it is called, so that `--help`
answers at once.
"""

from __future__ import annotations

import importlib
import sys
import threading
import traceback
from collections.abc import Mapping

import click

from blackstart import __version__
from blackstart.model.errors import BlackstartError, PlanRejected
from blackstart.world.core_dumps import forbid_core_dumps

# command → (module below blackstart.cli, line for the list)
COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": ("init", "Ask a dozen questions and write a plan that is valid at once."),
    "check": ("plan", "Check a plan file and show every problem at once."),
    "show": ("plan", "Show the procedure that a plan compiles to."),
    "preview": ("preview", "Show what each action would change, changing nothing."),
    "schema": ("plan", "Print the JSON Schema of the plan file."),
    "verbs": ("plan", "List what providers offer, with parameters and outputs."),
    "report": ("incident", "Open an incident."),
    "acknowledge": ("people", "Take an incident on."),
    "announce": ("people", "Announce how things stand over a channel of the plan."),
    "ask": ("people", "Ask a role or a team a question."),
    "answer": ("incident", "Answer an open question of an incident."),
    "assess": ("people", "Tell the impact: what is intact, degraded or lost."),
    "estimate": ("people", "Say how long an option would take, and what it costs."),
    "correct": ("people", "Correct when the outage began."),
    "activate": ("people", "Activate the Recovery phase, or choose another option."),
    "stand-down": ("people", "End an incident without a recovery; take back what was begun."),
    "recover": ("incident", "Drive one incident from here, and show what happens."),
    "approve": ("people", "Open the gate of a step."),
    "reject": ("people", "Keep the gate of a step closed for now."),
    "step": ("steps", "Finish, leave out, repeat or take back one step."),
    "pause": ("people", "Let nothing new begin."),
    "resume": ("people", "Go on after a pause."),
    "waive": ("people", "Set a hard rule aside, with a second person, for a while."),
    "amend": ("people", "Put another plan in force for steps that have not begun."),
    "handover": ("people", "Hand a role over to another person, with a card."),
    "status": ("status", "Show incidents, open questions and progress."),
    "timeline": ("incident", "Show what happened, in order."),
    "postmortem": ("incident", "Print the draft of the post-mortem."),
    "close": ("people", "Sign the post-mortem off and close the incident."),
    "journal": ("journal", "Verify the record."),
    "agent": ("agent", "Drive incidents: act, ask, tell, keep time."),
    "watch": ("driving", "Watch a system from here and open an incident when it is down."),
    "probe": ("probe", "Ask one check from here (the question comes on standard input)."),
    "backups": ("backups", "Prove restore points by restoring them."),
    "drill": ("drill", "Lose a real FlowFuse on this machine and bring it back."),
    "faults": ("faults", "Drill with each injected defect; compare expected and seen ends."),
    "sandbox": ("drill", "Remove what drills left on this machine."),
}


class _Lazy(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the work."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of the command and return it."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"blackstart.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="blackstart")
def group() -> None:
    """Bring production back: one plan, one clock, one record.

    Exit codes: 0 done, 2 wrong command line, 3 recovered but degraded, 4 refused, 5 stopped and
    waiting for a person, 6 the world failed, 7 the journal failed, 8 this machine lacks something,
    9 plan rejected.
    """


def main(command: click.Command = group) -> None:
    """Run the command line; expected errors end in two sentences and their exit code."""
    forbid_core_dumps()
    sys.excepthook = _show_bug
    threading.excepthook = lambda ended: _show_bug(ended.exc_type, ended.exc_value)
    try:
        command.main(standalone_mode=False)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except (click.Abort, KeyboardInterrupt) as interrupted:
        # click makes an Abort of every KeyboardInterrupt and keeps it as the cause
        click.echo(str(interrupted.__cause__ or interrupted) or "Interrupted.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except PlanRejected as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        click.secho(_without_secrets(str(error)), fg="red", err=True)
        sys.exit(error.exit_code)
    except BlackstartError as error:
        click.secho(_without_secrets(str(error)), fg="red", err=True)
        sys.exit(error.exit_code)


def _show_bug(kind: type[BaseException], bug: BaseException | None, *_: object) -> None:
    """Show a traceback whole, but for the secrets in it."""
    lines = traceback.format_exception(kind, bug, bug.__traceback__ if bug else None)
    click.echo(_without_secrets("".join(lines)), err=True)


def _without_secrets(text: str) -> str:
    """Return the text without the secrets that were revealed here; none were where none can be."""
    if "blackstart.store.secretbox" not in sys.modules:
        return text
    from blackstart.store.secretbox import redact_for_all

    return redact_for_all(text)
