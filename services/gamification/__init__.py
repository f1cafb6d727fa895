"""The game: XP and points, levels, the streak, the shop, badges, squads and leaderboards, duels.

It owns what a student has earned and spent (the ledger), on which local days they learned, what they bought, which
bonus courses their streaks have opened, which badges they have, who is in which squad, the standings of all, and the
duels with their runs and stakes. It keeps copies of catalog's courses, chapters and quizzes and of accounts, and asks
progress who has access. It hears `progress.lesson_completed`, `progress.course_completed`, `progress.day_studied`,
`catalog.course_changed`, `catalog.quiz_changed` and `accounts.user_changed`, and tells `gamification.xp_awarded`,
`gamification.level_reached`, `gamification.streak_extended`, `gamification.streak_frozen`,
`gamification.streak_endangered`, `gamification.course_unlocked`, `gamification.badge_awarded`,
`gamification.squad_of_the_week_chosen`, `gamification.squad_member_removed`, `gamification.squad_captain_changed` and
`gamification.duel_changed`.
"""
