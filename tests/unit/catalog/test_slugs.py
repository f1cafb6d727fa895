"""Slugs of courses and categories."""

from itertools import islice
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.domain.slugs import MOST, candidates, check_slug, is_slug
from services.catalog.formats import slug_of


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Ton premier site : HTML, CSS et un peu de JavaScript", "ton-premier-site-html-css-et-un-peu-de-javascript"),
        ("L'été à l’œuvre, c'est déjà ça !", "l-ete-a-l-oeuvre-c-est-deja-ca"),
        ("C++ & C# en 30 jours", "cpp-et-csharp-en-30-jours"),
        ("Élève n° 1", "eleve-n-1"),
        ("🔥🔥", ""),
    ],
)
def test_a_french_title_gives_a_readable_slug(title: str, slug: str) -> None:
    assert slug_of(title) == slug


def test_a_long_title_is_cut_between_words() -> None:
    slug = slug_of("Apprendre le développement web de zéro avec HTML et CSS, puis JavaScript et bien plus encore")
    assert slug == "apprendre-le-developpement-web-de-zero-avec-html-et-css-puis-javascript-et-bien"
    assert len(slug) <= MOST


@given(title=st.text(max_size=250), taken=st.integers(0, 5))
def test_whatever_the_title_each_candidate_is_a_new_slug(title: str, taken: int) -> None:
    known = set(islice(candidates(slug_of(title), ()), taken))
    found = list(islice(candidates(slug_of(title), known), 12))
    assert len(set(found)) == 12
    assert not known & set(found)
    assert all(is_slug(slug) for slug in found)


def test_candidates_are_numbered_and_stay_short_enough() -> None:
    assert list(islice(candidates("python", {"python-2"}), 3)) == ["python", "python-3", "python-4"]
    longest = "a" * MOST
    assert list(islice(candidates(longest, {longest}), 1)) == ["a" * (MOST - 2) + "-2"]


def test_a_title_without_letters_still_gets_a_slug() -> None:
    assert list(islice(candidates(slug_of("日本? 🔥 !!!"[3:]), ()), 2)) == ["cours", "cours-2"]


def test_a_slug_never_reads_as_an_id() -> None:
    some_id = str(uuid4())
    assert not is_slug(some_id)
    assert not is_slug(some_id.replace("-", ""))
    assert next(candidates(some_id, ())) == "cours"


@pytest.mark.parametrize(
    "slug", ["Python", "python_3", "-python", "python-", "py--thon", "été", "a/b", "a b", "a\n", "a\0"]
)
def test_a_slug_is_words_of_small_letters_and_digits(slug: str) -> None:
    assert [refusal.code for refusal in check_slug("/slug", slug)] == ["bad-slug"]


def test_a_slug_is_neither_empty_nor_endless() -> None:
    assert [refusal.code for refusal in check_slug("/slug", "")] == ["required"]
    assert [refusal.code for refusal in check_slug("/slug", "a" * (MOST + 1))] == ["too-long"]
    assert check_slug("/slug", "a" * MOST) == ()
