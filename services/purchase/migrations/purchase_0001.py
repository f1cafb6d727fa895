"""Orders, what Stripe said of their payments, and entitlements."""

from alembic import op

revision = "purchase_0001"
down_revision = None
branch_labels = ("purchase",)
depends_on = None

_STATEMENTS = (
    """
    create table course_copies (
        course_id uuid primary key,
        sequence bigint not null,
        status text not null constraint ck_course_copies_status
            check (status in ('draft', 'published', 'unpublished', 'archived', 'deleted')),
        slug text not null,
        title text not null,
        instructor_id uuid not null,
        price_amount bigint not null constraint ck_course_copies_price check (price_amount >= 0),
        price_currency text not null,
        unlock_streak_days integer
    )
    """,
    """
    create table orders (
        order_id uuid primary key,
        user_id uuid not null,
        course_id uuid not null,
        instructor_id uuid not null,
        title text not null,
        amount bigint not null,
        currency text not null,
        ref text,
        status text not null constraint ck_orders_status check (status in (
            'open', 'processing', 'paid', 'partially_refunded', 'refunded', 'disputed', 'charged_back', 'failed',
            'expired'
        )),
        placed_at timestamptz not null,
        consented_at timestamptz not null,
        acknowledged_at timestamptz not null,
        confirmed_at timestamptz,
        waiver_text text not null,
        locale text not null,
        success_url text not null,
        cancel_url text not null,
        session_key uuid not null,
        session_id text unique,
        checkout_url text,
        expires_at timestamptz not null,
        processing_at timestamptz,
        failed_at timestamptz,
        expired_at timestamptz,
        paid_at timestamptz,
        refunded bigint not null default 0,
        refund_due boolean not null default false,
        receipt_url text,
        constraint ck_orders_amount check (amount > 0 and currency ~ '^[A-Z]{3}$'),
        constraint ck_orders_paid check ((paid_at is null) = (status in ('open', 'processing', 'failed', 'expired'))),
        constraint ck_orders_refunded check (refunded >= 0 and (refunded = 0 or paid_at is not null)),
        constraint ck_orders_refund_due check (not refund_due or paid_at is not null),
        constraint ck_orders_confirmed check (confirmed_at is null or paid_at is not null)
    )
    """,
    "create unique index orders_one_open on orders (user_id, course_id) where status = 'open'",
    "create index orders_of_user on orders (user_id, placed_at, order_id)",
    "create index orders_by_time on orders (placed_at, order_id)",
    "create index orders_refund_due on orders (placed_at, order_id) where refund_due",
    "create index orders_by_status on orders (status, placed_at, order_id)",
    "create index orders_without_receipt on orders (paid_at) where paid_at is not null and receipt_url is null",
    """
    create table payments (
        payment_intent_id text primary key,
        order_id uuid unique references orders (order_id),
        heard_at timestamptz not null
    )
    """,
    """
    create table refunds (
        payment_intent_id text not null references payments (payment_intent_id),
        refunded bigint not null constraint ck_refunds_refunded check (refunded > 0),
        refunded_at timestamptz not null,
        primary key (payment_intent_id, refunded)
    )
    """,
    """
    create table disputes (
        dispute_id text primary key,
        payment_intent_id text not null references payments (payment_intent_id),
        status text not null constraint ck_disputes_status check (status in ('inquiry', 'open', 'won', 'lost')),
        amount bigint not null,
        closed_at timestamptz,
        constraint ck_disputes_closed check (status <> 'lost' or closed_at is not null)
    )
    """,
    "create index disputes_payment on disputes (payment_intent_id)",
    """
    create table stripe_events (
        event_id text primary key,
        type text not null,
        created_at timestamptz not null,
        received_at timestamptz not null
    )
    """,
    """
    create table refund_requests (
        request_id uuid primary key,
        order_id uuid not null references orders (order_id),
        amount bigint not null constraint ck_refund_requests_amount check (amount > 0),
        reason text not null constraint ck_refund_requests_reason check (reason in ('admin', 'withdrawal')),
        requested_at timestamptz not null,
        refund_id text unique,
        failure text,
        constraint ck_refund_requests_ended check (refund_id is null or failure is null)
    )
    """,
    """
    create unique index refund_requests_one_under_way on refund_requests (order_id)
    where refund_id is null and failure is null
    """,
    "create index refund_requests_order on refund_requests (order_id)",
    """
    create table entitlements (
        entitlement_id uuid primary key,
        sequence bigint not null,
        user_id uuid not null,
        course_id uuid not null,
        source text not null constraint ck_entitlements_source
            check (source in ('purchase', 'free', 'gift', 'unlock')),
        order_id uuid unique references orders (order_id),
        reason text,
        granted_by uuid,
        granted_at timestamptz not null,
        live boolean not null,
        ended_at timestamptz,
        constraint ck_entitlements_order check ((source = 'purchase') = (order_id is not null)),
        constraint ck_entitlements_live check (live = (ended_at is null))
    )
    """,
    "create unique index entitlements_one_live on entitlements (user_id, course_id, source) where live",
    "create index entitlements_of_user on entitlements (user_id, course_id)",
)


def upgrade() -> None:
    """Make the tables of purchase."""
    for statement in _STATEMENTS:
        op.execute(statement)
