# SPDX-License-Identifier: Apache-2.0
"""However a program writes a secret, and whatever stands beside it, none of it is left."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blackstart.store.redaction import redact
from tests.canaries import ODD, leaks_in, written

ALPHABET = st.characters(codec="utf-8", min_codepoint=33, exclude_categories=("C", "Z"))
SECRETS = st.text(ALPHABET, min_size=12, max_size=40).map(lambda text: text[:6] + ODD + text[6:])
REF = "secret:env/X"


@given(SECRETS, st.data())
def test_no_form_of_a_secret_is_left(secret: str, data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(written(secret)))
    text = f"before {form} after"
    assert leaks_in(text.encode(), {"it": secret}) == ["it"]
    shown = redact(text, {REF: secret})
    assert leaks_in(shown.encode(), {"it": secret}) == []
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert REF in shown


@given(SECRETS, st.data())
def test_a_line_end_in_the_middle_hides_nothing(secret: str, data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(written(secret)))
    cut = data.draw(st.integers(1, len(form) - 1))
    between = data.draw(st.sampled_from(["\n", "\r\n", "\n    ", "  \n"]))
    shown = redact(f"({form[:cut]}{between}{form[cut:]})", {REF: secret})
    assert leaks_in(shown.encode(), {"it": secret}) == []


@given(st.text(max_size=200), SECRETS)
def test_a_text_without_it_stays_as_it_is(text: str, secret: str) -> None:
    assert redact(text, {REF: secret}) == text or leaks_in(text.encode(), {"it": secret})
