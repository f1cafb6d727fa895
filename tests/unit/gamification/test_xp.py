"""What learning earns."""

import pytest

from services.gamification.domain import xp
from services.gamification.domain.xp import Award


@pytest.mark.parametrize("access", ["purchase", "free", "gift", "unlock", "preview"])
def test_a_lesson_earns_20_and_a_course_50_however_it_was_come_by(access: str) -> None:
    assert xp.for_lesson(access, hasty=False, hasty_already_earned=0) == Award(xp=20, points=20)
    assert xp.for_course(access) == Award(xp=50, points=50)


@pytest.mark.parametrize("access", ["author", "admin"])
@pytest.mark.parametrize("hasty", [False, True])
def test_authors_in_their_own_course_and_admins_earn_nothing(access: str, *, hasty: bool) -> None:
    assert xp.for_lesson(access, hasty=hasty, hasty_already_earned=0) == xp.NOTHING
    assert xp.for_course(access) == xp.NOTHING


def test_the_twentieth_hasty_completion_of_a_day_earns_and_the_next_does_not() -> None:
    assert xp.for_lesson("free", hasty=True, hasty_already_earned=19) == Award(xp=20, points=20)
    assert xp.for_lesson("free", hasty=True, hasty_already_earned=20) == xp.NOTHING


def test_a_lesson_looked_at_earns_however_many_hasty_ones_came_before() -> None:
    assert xp.for_lesson("free", hasty=False, hasty_already_earned=20) == Award(xp=20, points=20)
