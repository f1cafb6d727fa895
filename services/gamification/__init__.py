"""The game that keeps students learning: the ledger of XP and points, levels, the streak of learning days, the shop.

It owns what a student has earned and spent, on which local days they learned, what they bought, and which bonus courses
their streaks have opened; it keeps copies of catalog's courses and of accounts. It hears `progress.lesson_completed`,
`progress.course_completed`, `progress.day_studied`, `catalog.course_changed` and `accounts.user_changed`, and tells
`gamification.xp_awarded`, `gamification.level_reached`, `gamification.streak_extended`, `gamification.streak_frozen`,
`gamification.streak_endangered` and `gamification.course_unlocked`.
"""
