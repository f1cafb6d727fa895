"""Stripe's errors, as its API answers them."""

from demo.sandbox.store import Body


class StripeError(Exception):
    """What Stripe refuses, by its HTTP status, type and code; the message is for developers, in English."""

    status = 400
    type = "invalid_request_error"

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param

    def body(self) -> Body:
        """Return the answer."""
        error = {"type": self.type, "message": self.message, "code": self.code, "param": self.param}
        return {"error": {name: value for name, value in error.items() if value is not None}}


class InvalidParameter(StripeError):
    """A request that nobody can carry out; its idempotency key stays unused."""


class NotThere(StripeError):
    """There is no object with this id: the one in the path, or one that a parameter names."""

    def __init__(self, kind: str, identifier: str, param: str) -> None:
        super().__init__(f"No such {kind}: '{identifier}'", code="resource_missing", param=param)
        self.status = 404 if param == "id" else 400


class UnknownKey(StripeError):
    """The API key is missing or another's."""

    status = 401


class KeyUsed(StripeError):
    """The idempotency key came before with another request."""

    type = "idempotency_error"


class Broken(StripeError):
    """Stripe does not work just now."""

    status = 500
    type = "api_error"
