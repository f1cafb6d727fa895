"""What operators do with accounts from the command line."""

from uuid import UUID

from chassis.clock import now
from chassis.database import Database
from contracts.errors import Conflict
from contracts.events.accounts import Role
from gateway import handlers, queries
from gateway.domain.accounts import email_key
from gateway.passwords import Passwords


def create_account(
    database_url: str,
    email: str,
    password: str,
    *,
    display_name: str,
    role: Role,
    time_zone: str = "UTC",
    email_verified: bool = True,
) -> tuple[UUID, bool]:
    """The account's id, and whether it was made now. One that is there keeps its password and only gets the role."""
    database = Database(database_url, pool_size=1)
    try:
        registration = handlers.Registration(
            email=email,
            password_hash=Passwords().hash(password),
            display_name=display_name,
            role=role,
            time_zone=time_zone,
            email_verified=email_verified,
        )
        try:
            with database.unit_of_work() as unit_of_work:
                return handlers.register(unit_of_work, registration, now()).id, True
        except Conflict:
            with database.unit_of_work() as unit_of_work:
                account = queries.account_by_email(unit_of_work.connection, email_key(email))
                if account is None:
                    raise
                return handlers.set_role(unit_of_work, account.id, role).id, False
    finally:
        database.close()


def create_admin(database_url: str, email: str, password: str) -> tuple[UUID, bool]:
    """Make someone an admin: the account's id, and whether it was made now. May be done again."""
    return create_account(database_url, email, password, display_name=email.partition("@")[0], role="admin")
