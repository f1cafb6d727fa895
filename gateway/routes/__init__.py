"""The routes, one blueprint per module of the contract."""

from apiflask import APIBlueprint

from gateway.routes import operations


def blueprints() -> tuple[APIBlueprint, ...]:
    """Every blueprint of the gateway, in the order of the contract."""
    return (operations.blueprint,)
