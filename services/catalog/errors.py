"""From the domain's refusals to the answer that callers get."""

from contracts.errors import FieldError, Invalid
from services.catalog.domain.refusals import Refusal


def refuse(*refusals: Refusal) -> None:
    """Raise `Invalid` naming each refused field, if there is any."""
    errors = tuple(FieldError(refusal.pointer, refusal.code, dict(refusal.parameters)) for refusal in refusals)
    if errors:
        raise Invalid(errors=errors)
