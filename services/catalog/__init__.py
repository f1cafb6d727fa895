"""Catalog: courses, their chapters, lessons (texts, transcripts), quizzes, categories, and the slugs that lead to them.

Hears nothing. Tells `catalog.course_changed.v1` with every change of a course, and `catalog.quiz_changed.v1` when a
chapter's quiz is written or goes away.
"""
