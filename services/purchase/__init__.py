"""Purchase: orders, their payments through Stripe, and the rights to courses that come of them.

Owns orders, what Stripe said of their payments, and entitlements (bought, free, given, unlocked); keeps a copy of
catalog's courses. Hears `catalog.course_changed.v1`, `progress.free_entitlement_granted.v1`,
`gamification.course_unlocked.v1` and Stripe's webhooks; tells `purchase.entitlement_changed.v1`,
`purchase.order_paid.v1`, `purchase.order_refunded.v1` and `purchase.order_charged_back.v1`.
"""
