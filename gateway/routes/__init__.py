"""The routes, one blueprint per module of the contract."""

from apiflask import APIBlueprint

from gateway.routes import (
    accounts,
    analytics,
    catalog,
    challenge_pages,
    documentation,
    duels,
    game,
    images,
    moderation,
    notifications,
    operations,
    progress,
    purchase,
    squads,
)


def blueprints() -> tuple[APIBlueprint, ...]:
    """Every blueprint of the gateway, in the order of the contract."""
    return (
        accounts.blueprint,
        accounts.well_known,
        catalog.blueprint,
        images.blueprint,
        progress.blueprint,
        purchase.blueprint,
        analytics.blueprint,
        game.blueprint,
        squads.blueprint,
        moderation.blueprint,
        duels.blueprint,
        challenge_pages.blueprint,
        notifications.blueprint,
        operations.blueprint,
        documentation.blueprint,
    )
