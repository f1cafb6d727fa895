"""Notifications: what people are told, in their inbox, on their streams and by mail, and what of it they wish.

Owns inboxes, settings and the mails that wait; keeps the newest state of duels, for streams that resume. Names and
addresses are never kept: the gateway adds names as answers pass, mails ask `accounts` when they are sent.

Hears `accounts.user_changed.v1` and, of the game, `level_reached`, `streak_endangered`, `streak_frozen`,
`course_unlocked`, `badge_awarded`, `squad_of_the_week_chosen`, `squad_member_removed`, `squad_captain_changed` and
`duel_changed`; tells `notification.notification_added.v1` and `notification.duel_noted.v1`.
"""
