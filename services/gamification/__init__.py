"""The game that keeps students learning: the ledger of XP and points, levels, the streak of learning days, and duels.

It owns what a student has earned, on which local days they learned, and the duels with their runs and stakes; it keeps
copies of catalog's courses, chapters and quizzes and of accounts, and asks progress who has access. It hears
`progress.lesson_completed`, `progress.course_completed`, `progress.day_studied`, `catalog.course_changed`,
`catalog.quiz_changed` and `accounts.user_changed`, and tells `gamification.xp_awarded`, `gamification.level_reached`,
`gamification.streak_extended` and `gamification.duel_changed`.
"""
