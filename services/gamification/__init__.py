"""The game that keeps students learning: XP and points, levels, the streak, the shop, badges, squads, leaderboards.

It owns what a student has earned and spent (the ledger), on which local days they learned, what they bought, which
bonus courses their streaks have opened, which badges they have, who is in which squad, and the standings of all; it
keeps copies of catalog's courses and of accounts. It hears `progress.lesson_completed`, `progress.course_completed`,
`progress.day_studied`, `catalog.course_changed` and `accounts.user_changed`, and tells `gamification.xp_awarded`,
`gamification.level_reached`, `gamification.streak_extended`, `gamification.streak_frozen`,
`gamification.streak_endangered`, `gamification.course_unlocked`, `gamification.badge_awarded`,
`gamification.squad_of_the_week_chosen`, `gamification.squad_member_removed` and `gamification.squad_captain_changed`.
"""
