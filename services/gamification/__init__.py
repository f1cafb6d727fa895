"""The game that keeps students learning: the ledger of XP and points, levels, the streak of learning days, badges.

It owns what a student has earned and on which local days they learned; it keeps copies of catalog's courses and of
accounts. It hears `progress.lesson_completed`, `progress.course_completed`, `progress.day_studied`,
`catalog.course_changed` and `accounts.user_changed`, and tells `gamification.xp_awarded`,
`gamification.level_reached`, `gamification.streak_extended` and `gamification.badge_awarded`.
"""
