"""Progress: which student may learn what, and how far each has come.

Owns openings, positions, completions and study days, and keeps copies of catalog's outlines and of purchase's
entitlements. Hears `catalog.course_changed.v1` and `purchase.entitlement_changed.v1`; tells
`progress.lesson_completed.v1`, `progress.course_completed.v1` and `progress.day_studied.v1`, and told once, by a
migration, `progress.free_entitlement_granted.v1`.
"""
