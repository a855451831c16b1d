"""What is wrong with a document, as text without its values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

_MAX_NAMED_FIELDS = 20
"""The invalid fields that an error names."""


def format_validation_errors(error: ValidationError) -> str:
    """Return up to 20 invalid fields with their errors, without their values."""
    fields = [
        f"{'.'.join(map(str, detail['loc'])) or 'document'}: {detail['msg']}"
        for detail in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    more = len(fields) - _MAX_NAMED_FIELDS
    return "; ".join(fields[:_MAX_NAMED_FIELDS] + ([f"and {more} more"] if more > 0 else []))


def format_invalid_fields(error: ValidationError) -> str:
    """Return up to 20 invalid fields with pydantic's types of their errors.

    Items of lists are `*`, so that the same error in another item looks the same.
    """
    details = error.errors(include_url=False, include_input=False, include_context=False)
    fields = (
        f"{'.'.join('*' if isinstance(part, int) else part for part in detail['loc'])}: "
        f"{detail['type']}"
        for detail in details
    )
    return "; ".join(list(dict.fromkeys(fields))[:_MAX_NAMED_FIELDS])
