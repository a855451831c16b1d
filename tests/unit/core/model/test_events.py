from __future__ import annotations

import pytest

from core import Event
from core.errors import DefinitionError


def test_an_event_without_an_entity_is_rejected() -> None:
    """The error says what to write."""
    with pytest.raises(DefinitionError, match=r'class Lost\(Event, entity="'):
        type("Lost", (Event,), {})
