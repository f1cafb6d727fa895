"""Analytics: what instructors see of their courses' sales, students and links.

Owns the refs that instructors make; all else is a projection of events that can be thrown away and counted again. Hears
`accounts.user_registered.v1`, `accounts.user_changed.v1`, `catalog.course_changed.v1`, `progress.lesson_completed.v1`,
`progress.course_completed.v1`, `purchase.entitlement_changed.v1`, `purchase.order_paid.v1`,
`purchase.order_refunded.v1` and `purchase.order_charged_back.v1`; tells none.
"""
