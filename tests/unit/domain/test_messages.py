"""The tables of what users are told."""

from __future__ import annotations

import pytest

from breezeblock.domain.user_messages import ACTIONS, DETAILS, Action, Detail, Text, event_id


@pytest.mark.parametrize(("table", "by_id"), [(Action, ACTIONS), (Detail, DETAILS)])
def test_numbers_are_given_once(table: type, by_id: dict[str, Text]) -> None:
    texts = [value for value in vars(table).values() if isinstance(value, Text)]
    assert texts
    assert len(by_id) == len(texts)
    assert len({text.text for text in texts}) == len(texts)
    assert all(len(text.id) == 3 and text.id.isdigit() and text.text for text in texts)


@pytest.mark.parametrize("detail", list(DETAILS.values()), ids=lambda detail: detail.id)
def test_a_detail_says_what_to_do(detail: Text) -> None:
    assert detail.text.count(". ") >= 1
    assert detail.text.endswith(".")
    assert len(detail.text) <= 255


def test_event_ids_have_the_fields_form() -> None:
    assert event_id("VOLUME", Action.CREATE, Detail.DRIVER_CREATE) == "VOLUME_VOLUME_008_012"
