"""Purchase as a process of its own: what it hears of others becomes access."""

from uuid import UUID, uuid4

from chassis.database import Database
from contracts.events.gamification import CourseUnlocked
from contracts.events.progress import FreeEntitlementGranted
from tests.conftest import SettingsFactory
from tests.services.purchase.shop import NOON
from tests.services.running import Call, eventually, running


def test_what_a_streak_opened_and_what_progress_hands_over_becomes_access(settings_for: SettingsFactory) -> None:
    settings = settings_for("purchase")
    awa, bonus, free = uuid4(), uuid4(), uuid4()
    database = Database(settings.database_url_for("purchase"))
    with running("purchase", settings) as call:
        with database.unit_of_work() as unit_of_work:
            unit_of_work.tell(CourseUnlocked(user_id=awa, course_id=bonus, streak_days=7, unlocked_at=NOON))
            unit_of_work.tell(
                FreeEntitlementGranted(entitlement_id=uuid4(), user_id=awa, course_id=free, granted_at=NOON)
            )

        eventually(lambda: (reason(call, awa, bonus), reason(call, awa, free)) == ("unlock", "free"))
    database.close()


def reason(call: Call, user_id: UUID, course_id: UUID) -> str:
    """Why they have access."""
    found: str = call("check_course_access", user_id=user_id, course_id=course_id)["reason"]
    return found
