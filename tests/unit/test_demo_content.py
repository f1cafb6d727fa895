"""The demo's files: complete, right in themselves, and written in good French."""

import re
from collections import Counter
from pathlib import Path
from zoneinfo import available_timezones

import pytest
from markdown_it import MarkdownIt
from webvtt import WebVTT

from demo.content import (
    COURSES,
    PEOPLE,
    Chapter,
    ContentError,
    Course,
    Lesson,
    read_catalogue,
    read_course,
    read_people,
)
from services.catalog.formats import drop_html
from services.gamification.domain.shop import ITEMS
from services.gamification.domain.squads import motto_fault, name_fault, tidy
from services.gamification.domain.xp import LESSON_XP

CATALOGUE = read_catalogue()
LESSONS = {
    f"{course.slug}/{lesson.title}": lesson
    for course in CATALOGUE.courses
    for chapter in course.chapters
    for lesson in chapter.lessons
}
VIDEOS = {name: lesson for name, lesson in LESSONS.items() if lesson.kind == "video"}
CHAPTERS = {f"{course.slug}/{chapter.title}": chapter for course in CATALOGUE.courses for chapter in course.chapters}
FILES = {
    str(path.relative_to(COURSES)): path
    for path in sorted(COURSES.rglob("*"))
    if path.suffix in (".md", ".toml", ".vtt")
}
TEXTS = {name: path for name, path in FILES.items() if path.suffix != ".toml"}

each_course = pytest.mark.parametrize("each", CATALOGUE.courses, ids=[course.slug for course in CATALOGUE.courses])
each_lesson = pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS)
each_video = pytest.mark.parametrize("lesson", VIDEOS.values(), ids=VIDEOS)
each_chapter = pytest.mark.parametrize("chapter", CHAPTERS.values(), ids=CHAPTERS)
each_file = pytest.mark.parametrize("path", FILES.values(), ids=FILES)
each_text = pytest.mark.parametrize("path", TEXTS.values(), ids=TEXTS)

UNACCENTED = re.compile(
    r"\b(a la fois|apres|bientot|breve|ca|cote|deja|ecole|ecran|ecrire|ecris|element|etape|etait|etre|facon|francais|"
    r"idee|lecon|meme|numero|oeil|oeuvre|coeur|peut-etre|plutot|premiere|pres|probleme|reponse|reponds|repond|"
    r"reussi|tache|telephone|tres|verifie|video|voila)\b",
    re.IGNORECASE,
)


def course(slug: str) -> Course:
    return next(course for course in CATALOGUE.courses if course.slug == slug)


def words(text: str) -> int:
    return len(text.split())


def prose(path: Path) -> str:
    """What a person reads of a file: without code, times, and the keys and file names of TOML."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".toml":
        text = "\n".join(
            line for line in text.splitlines() if not re.match(r"#|\[\[|(file|kind|slug|category|chapters) =|  ", line)
        )
        text = re.sub(r"^(\w+) =|[\"{}\[\]]", " ", text, flags=re.MULTILINE)
    if path.suffix == ".vtt":
        text = "\n".join(line for line in text.splitlines() if "-->" not in line)
    return re.sub(r"`[^`\n]*`", "x", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def test_the_demo_has_a_programming_course_a_practical_one_a_bonus_one_and_a_draft() -> None:
    programming, practical = course("ton-premier-site"), course("affiche-ton-monde")
    assert (programming.category, programming.price, len(programming.chapters)) == ("dev-web", None, 4)
    assert any(lesson.free_preview for chapter in programming.chapters for lesson in chapter.lessons)
    assert practical.practical
    assert practical.price is not None
    assert any(lesson.kind == "project" for chapter in practical.chapters for lesson in chapter.lessons)
    bonus = course("passage-secret-mini-jeu")
    assert bonus.unlock is not None
    assert (bonus.unlock.streak_days, bonus.price) == (7, None)
    assert sum(each.publish for each in CATALOGUE.courses) == 4
    assert not all(each.publish for each in CATALOGUE.courses)


def test_slugs_are_unique_and_are_the_folders_names() -> None:
    slugs = [each.slug for each in CATALOGUE.courses]
    assert len(set(slugs)) == len(slugs)
    assert set(slugs) == {path.parent.name for path in COURSES.glob("*/course.toml")}
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) for slug in slugs)


def test_every_course_has_a_category_of_the_catalogue() -> None:
    slugs = [category.slug for category in CATALOGUE.categories]
    assert len(set(slugs)) == len(slugs)
    assert {each.category for each in CATALOGUE.courses} <= set(slugs)


@each_course
def test_titles_are_unique_in_their_course_so_that_the_loader_can_find_them_again(each: Course) -> None:
    chapters = Counter(chapter.title for chapter in each.chapters)
    lessons = Counter(lesson.title for chapter in each.chapters for lesson in chapter.lessons)
    assert max(chapters.values()) == 1
    assert max(lessons.values()) == 1


@each_course
def test_a_description_opens_with_a_sentence_that_search_engines_can_show(each: Course) -> None:
    opening = each.description.split("\n\n")[0]
    assert 100 <= len(opening) <= 300
    assert words(each.description) >= 40
    assert len(each.title) <= 70
    assert len(each.subtitle) <= 100


@each_lesson
def test_a_lesson_says_enough_and_not_too_much(lesson: Lesson) -> None:
    assert 250 <= words(lesson.body) <= 600
    assert 60 <= lesson.duration_seconds <= 4 * 3600


@each_lesson
def test_bodies_are_common_mark_without_raw_html_tables_or_task_lists(lesson: Lesson) -> None:
    tokens = MarkdownIt("commonmark").parse(lesson.body)
    kinds = {child.type for token in tokens for child in [token, *(token.children or ())]}
    assert not kinds & {"html_block", "html_inline"}
    assert lesson.body.count("```") % 2 == 0
    assert not re.search(r"^\|.*\|$|^- \[[ x]\]", re.sub(r"```.*?```", "", lesson.body, flags=re.DOTALL), re.MULTILINE)


@each_lesson
def test_the_catalog_keeps_the_body_as_it_is_written(lesson: Lesson) -> None:
    assert drop_html(lesson.body) == lesson.body


@each_lesson
def test_projects_have_a_brief_and_videos_a_transcript_and_no_other_lesson_has(lesson: Lesson) -> None:
    assert (lesson.project_brief is not None) == (lesson.kind == "project")
    assert (lesson.transcript is not None) == (lesson.kind == "video")


@each_video
def test_cues_follow_one_another_inside_the_video_at_the_pace_of_speech(lesson: Lesson) -> None:
    assert lesson.transcript is not None
    cues = WebVTT.from_string(lesson.transcript, strict=True).captions
    assert len(cues) >= 12
    end = 0.0
    for cue in cues:
        start = cue.start_time.in_milliseconds() / 1000
        assert end <= start
        end = cue.end_time.in_milliseconds() / 1000
        assert 1 <= words(cue.text) / (end - start) <= 3.5
        assert end - start <= 15
    assert lesson.duration_seconds - 15 <= end <= lesson.duration_seconds


@each_chapter
def test_every_chapter_has_a_quiz_with_one_right_answer_among_distinct_choices(chapter: Chapter) -> None:
    quiz = chapter.quiz
    assert quiz is not None
    assert 5 <= len(quiz.questions) <= 8
    assert 10 <= quiz.time_limit_seconds <= 60
    for question in quiz.questions:
        assert 2 <= len(question.choices) <= 6
        assert len(set(question.choices)) == len(question.choices)
        assert 0 <= question.answer < len(question.choices)
        assert question.text.rstrip("»\u00a0 ").endswith(("?", "."))


def test_the_right_answer_is_not_always_in_the_same_place() -> None:
    answers = Counter(
        question.answer
        for each in CATALOGUE.courses
        for chapter in each.chapters
        if chapter.quiz
        for question in chapter.quiz.questions
    )
    assert set(answers) == {0, 1, 2, 3}
    assert max(answers.values()) < 0.4 * answers.total()


@each_file
def test_what_people_read_is_french_with_its_accents_and_its_typography(path: Path) -> None:
    text = prose(path)
    assert not re.search(r"lorem|ipsum|todo|xxx", text, re.IGNORECASE)
    assert not UNACCENTED.findall(text)
    assert not re.findall(r"\w'\w", text), "a straight apostrophe"
    assert not re.findall(r".{10}(?: |\w)[!?;](?=\s|$)", text), "no narrow space before ! ? ;"
    assert not re.findall(r".{10} [:»]|« ", text), "a breaking space before : or inside « »"
    assert "..." not in text


@each_text
def test_every_text_has_accents(path: Path) -> None:
    assert len(re.findall(r"[éèêàâçùûîôœ]", prose(path))) >= 4


def test_students_study_published_courses_and_no_more_lessons_than_there_are() -> None:
    people = read_people()
    for person in (people.instructor, *people.students):
        assert person.time_zone in available_timezones()
        assert person.email.endswith("@tanka.example")
        for studies in person.studies:
            studied = course(studies.course)
            assert studied.publish
            assert studied.unlock is None
            assert len(studies.days_ago) <= sum(len(chapter.lessons) for chapter in studied.chapters)
            assert list(studies.days_ago) == sorted(studies.days_ago, reverse=True)
    emails = [person.email for person in people.students]
    assert len(set(emails)) == len(emails) >= 9
    assert "ber@tanka.example" in emails


def test_ber_is_one_day_short_of_the_secret_course() -> None:
    ber = next(person for person in read_people().students if person.email == "ber@tanka.example")
    assert {days for studies in ber.studies for days in studies.days_ago} == {1, 2, 3, 4, 5, 6}


def test_squads_have_a_captain_or_are_official_and_members_whose_lessons_of_today_count() -> None:
    people = read_people()
    by_name = {squad.name: squad for squad in people.squads}
    assert {person.squad for person in people.students} == {*by_name, None}
    for squad in people.squads:
        members = {person.email: person for person in people.students if person.squad == squad.name}
        assert (name_fault(tidy(squad.name)), motto_fault(tidy(squad.motto))) == (None, None)
        assert squad.captain is None or squad.captain in members
        assert any(0 in studies.days_ago for person in members.values() for studies in person.studies)
    assert {squad.name for squad in people.squads if squad.captain is None} == {"Team YouTube", "Team Twitter"}
    assert sum(squad.captain is not None for squad in people.squads) >= 2


def test_what_squads_are_called_is_french_with_its_typography() -> None:
    texts = "\n".join(f"{squad.name}\n{squad.motto}" for squad in read_people().squads)
    assert re.search("[éÉ]", texts)
    assert not re.findall(r"\w'\w|(?: |\w)[!?;]|\.\.\.", texts)


def test_duels_are_between_students_of_the_course_and_on_chapters_that_there_are() -> None:
    people = read_people()
    studied = {person.email: {studies.course for studies in person.studies} for person in people.students}
    for duel in people.duels:
        (chapter,) = (one for one in course(duel.course).chapters if one.title == duel.chapter)
        assert chapter.quiz is not None
        assert duel.challenger != duel.rival
        assert all(duel.course in studied[email] for email in (duel.challenger, duel.rival) if email is not None)
        assert all(right < len(chapter.quiz.questions) for right in duel.right)
        assert len(duel.right) <= (1 if duel.rival is None else 2)
    assert {len(duel.right) for duel in people.duels if duel.mode == "live"} == {0, 1, 2}
    assert any(duel.mode == "link" and duel.right for duel in people.duels)


def test_nobody_plays_a_quiz_twice_and_playing_adds_no_day_to_anybodys_flame() -> None:
    people = read_people()
    played = Counter(
        (email, duel.course, duel.chapter)
        for duel in people.duels
        for email, _ in zip((duel.challenger, duel.rival), duel.right, strict=False)
    )
    assert max(played.values()) == 1
    today = {person.email for person in people.students if any(0 in studies.days_ago for studies in person.studies)}
    assert {email for email, _, _ in played} <= today
    assert "ber@tanka.example" not in today


def test_who_buys_has_earned_enough() -> None:
    buyers = [person for person in read_people().students if person.buys]
    assert [person.buys for person in buyers] == [("streak_freeze",)]
    lessons = sum(len(studies.days_ago) for studies in buyers[0].studies)
    assert lessons * LESSON_XP >= ITEMS["streak_freeze"].price_points


def test_every_text_file_belongs_to_a_lesson() -> None:
    lessons = LESSONS.values()
    assert len(TEXTS) == sum(1 + (lesson.kind in ("video", "project")) for lesson in lessons)


def test_a_misspelt_entry_is_refused_by_the_files_name(tmp_path: Path) -> None:
    (tmp_path / "course.toml").write_text('slug = "a"\ntilte = "b"\n', encoding="utf-8")
    with pytest.raises(ContentError, match=r"course\.toml"):
        read_course(tmp_path)


def test_a_lesson_without_its_text_is_refused_by_the_files_name(tmp_path: Path) -> None:
    source = COURSES / "apprendre-a-apprendre"
    for path in source.rglob("*.toml"):
        target = tmp_path / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    with pytest.raises(ContentError, match=r"pourquoi-on-oublie\.md"):
        read_course(tmp_path)


def test_the_people_file_is_read_whole() -> None:
    assert PEOPLE.read_text(encoding="utf-8").count("[[students]]") == len(read_people().students)
