"""Demo data: courses in French, an instructor, and students with a history, all entered through the public HTTP API.

A course is a folder of plain files under `courses/`:

- `course.toml`: what the course page shows, and the names of its chapters' folders in order;
- `<chapter>/chapter.toml`: the chapter's title and its lessons in order;
- `<chapter>/quiz.toml`: the chapter's quiz, if it has one;
- `<chapter>/<file>.md`: a lesson's body in CommonMark; `<file>.vtt` its transcript and `<file>.brief.md` its project
  brief, where they exist.

`courses/catalogue.toml` names the courses and categories, `people.toml` the people and what they play.
"""
