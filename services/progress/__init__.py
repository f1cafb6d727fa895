"""Progress: which student may learn what, and how far each has come.

Owns entitlements (until purchase exists, free ones only), openings, positions, completions and study days, and keeps a
copy of catalog's outlines. Hears `catalog.course_changed.v1`; tells `progress.lesson_completed.v1`,
`progress.course_completed.v1` and `progress.day_studied.v1`.
"""
