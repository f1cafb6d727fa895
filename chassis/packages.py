"""Where services are in the code."""


def package_of(service: str) -> str:
    """The package of a service and its database: `accounts` is in the gateway, each other has its own."""
    return "gateway" if service == "accounts" else f"services.{service}"
