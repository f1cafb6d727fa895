"""The routes, one blueprint per module of the contract."""

from apiflask import APIBlueprint

from gateway.routes import accounts, catalog, documentation, game, images, operations, progress


def blueprints() -> tuple[APIBlueprint, ...]:
    """Every blueprint of the gateway, in the order of the contract."""
    return (
        accounts.blueprint,
        accounts.well_known,
        catalog.blueprint,
        images.blueprint,
        progress.blueprint,
        progress.purchase,
        game.blueprint,
        operations.blueprint,
        documentation.blueprint,
    )
