"""What points buy (product.md, "Streak freeze and shop")."""

from dataclasses import dataclass
from enum import Enum

from services.gamification.domain.streak import FREEZES_MAX


@dataclass(frozen=True)
class Item:
    """A thing for sale; of which so many may be held."""

    code: str
    price_points: int
    max: int


STREAK_FREEZE = Item("streak_freeze", price_points=100, max=FREEZES_MAX)
ITEMS = {item.code: item for item in (STREAK_FREEZE,)}


class Refusal(Enum):
    """Why something is not sold; the values are the problems' slugs."""

    LIMIT_REACHED = "limit-reached"
    NOT_ENOUGH_POINTS = "not-enough-points"


def refusal_to_sell(item: Item, owned: int, points: int) -> Refusal | None:
    """Why someone with so many points, who owns so many of the item, may not buy another; None when they may."""
    if owned >= item.max:
        return Refusal.LIMIT_REACHED
    if points < item.price_points:
        return Refusal.NOT_ENOUGH_POINTS
    return None
