# SPDX-License-Identifier: Apache-2.0
"""What is left for customers to do after a step moved something that is also theirs. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from blackstart.model.incident import RunView
from blackstart.model.states import lets_others_go

LIAISON = "customer_liaison"  # the role that hears from customers; else the commander
BY_CUSTOMER = "by_customer"  # the output of a verb that leaves them something: customer → sentences


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What one customer has to do, as sentences, and the step that left it to him."""

    run: str
    step: str
    customer: str
    sentences: tuple[str, ...]

    @property
    def question(self) -> str:
        """What we are asked about it."""
        return f"{self.customer}: have they done this, and said so?"


def left_to_customers(run: RunView) -> dict[str, Left]:
    """Return what a run left to customers, by the name of its question.

    Only a step that others may follow counts; when it was taken back and done again, that is
    another question, because another attempt may have moved things elsewhere.
    """
    found: dict[str, Left] = {}
    for name, step in run.steps.items():
        for action in step.actions.values() if lets_others_go(step.state) else ():
            given = action.outputs.get(BY_CUSTOMER)
            for customer, told in given.items() if isinstance(given, dict) else ():
                one = Left(
                    run=run.started.run,
                    step=name,
                    customer=customer,
                    sentences=tuple(map(str, told)) if isinstance(told, list) else (str(told),),
                )
                plain = customer.replace("/", "-")
                found[f"customer:{one.run}:{plain}:{action.attempt}"] = one
    return found
