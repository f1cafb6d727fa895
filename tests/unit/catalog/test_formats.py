"""CommonMark without raw HTML, and texts as they are searched."""

from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from services.catalog.formats import NestedHtmlError, drop_html, plain_text, searchable

commonmark = MarkdownIt("commonmark")


def html_in(text: str) -> list[str]:
    """The raw HTML that a renderer would let through."""
    return [
        part.content
        for token in commonmark.parse(text)
        for part in [token, *(token.children or ())]
        if part.type in ("html_block", "html_inline")
    ]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Du **gras** et du <b>gras</b>.", "Du **gras** et du gras."),
        ("Un <br> saut<br/>encore", "Un   saut encore"),
        ("Un lien <https://tanka.example> et 1 < 2 > 0", "Un lien <https://tanka.example> et 1 < 2 > 0"),
        ("<script>alert(1)</script>\n\nTexte", "\n\nTexte"),
        ("<!-- secret -->\nTexte", "\nTexte"),
        ("Texte <!-- secret --> visible", "Texte  visible"),
        ("<div align=center>\nBonjour R&D\n</div>\n\nFin", "Bonjour R&amp;D\n\nFin"),
        ("<center>Titre</center>", "Titre"),
        ("> <p>cité</p>\n> suite", "> cité\n> suite"),
        ("- <b>un</b>\n- deux", "- un\n- deux"),
        ("# Titre <em>fort</em> #", "# Titre fort #"),
        ("Voir <a\nhref='x'>ici</a> !", "Voir\nici !"),
        ("avant\n<b>\naprès", "avant\naprès"),
        ("a <<b>script>alert(1)<<b>/script>", "a alert(1)"),
        (r"Échappé \<b> reste", r"Échappé \<b> reste"),
        ("<img src=x onerror=alert(1)>", ""),
        ("<?php echo 1 ?>", ""),
    ],
)
def test_raw_html_is_dropped_and_its_words_stay(written: str, kept: str) -> None:
    found = drop_html(written)
    assert [line.rstrip() for line in found.split("\n")] == [line.rstrip() for line in kept.split("\n")]
    assert html_in(found) == []


@pytest.mark.parametrize(
    "text",
    [
        "Écris `<div>` dans ta page.",
        '```html\n<div class="carte">\n  <script>alert(1)</script>\n</div>\n```',
        "~~~\n<!-- un commentaire -->\n~~~",
        "Du code :\n\n    <ul>\n      <li>un</li>\n    </ul>\n\nVoilà.",
        "1. Étape\n\n   ```html\n   <p>un</p>\n\n   <p>deux</p>\n   ```\n2. Suite",
        "> ```\n> <b>x</b>\n> ```",
        "`` `<b>` `` et ``<i>``",
    ],
)
def test_html_in_code_survives_to_the_letter(text: str) -> None:
    assert drop_html(text) == text


def test_code_survives_beside_html_that_is_dropped() -> None:
    fence = "```html\n<div>\n  <b>x</b>\n</div>\n```"
    found = drop_html(f"<div>Bonjour</div>\n\n{fence}\n\nUn <i>mot</i> et `<i>`.\n")
    assert found == f"Bonjour\n\n{fence}\n\nUn mot et `<i>`.\n"


PIECES = [
    *("<b>", "</b>", "<div>", "</div>", "<script>", "</script>", "<br>", "<!--", "-->", "<?", "?>", "<![CDATA[", "]]>"),
    *("<a href='", "<x:y>", "<", ">", "'", '"', "&lt;", "\\", "`", "```\n", "![", "[", "](", ")", "*", "==="),
    *("> ", "- ", "# ", "1. ", " ", "    ", "\t", "\n", "\n\n", "\r\n", "\u00a0", "a", "é"),
]
pieces = st.sampled_from(PIECES)


@given(st.lists(pieces, max_size=40).map("".join))
def test_whatever_is_written_no_html_is_left_and_what_has_none_is_untouched(text: str) -> None:
    try:
        found = drop_html(text)
    except NestedHtmlError:
        return
    assert html_in(found) == []
    if not html_in(text):
        assert found == text


@given(st.lists(pieces, max_size=15).map("".join))
def test_dropping_is_done_once_and_for_all(text: str) -> None:
    try:
        found = drop_html(text)
    except NestedHtmlError:
        return
    assert drop_html(found) == found


def test_html_nested_to_be_uncovered_is_refused() -> None:
    with pytest.raises(NestedHtmlError):
        drop_html("a " + "<" * 30 + "b>" * 30)


def test_a_long_text_full_of_html_does_not_stop_the_whole_catalog() -> None:
    begun = monotonic()

    assert drop_html("<b>x\n" * 30_000).split() == ["x"] * 30_000
    with pytest.raises(NestedHtmlError):
        drop_html("<div>\n" * 33_000)

    assert monotonic() - begun < 4


def test_plain_text_has_the_words_but_neither_marks_nor_code_blocks() -> None:
    text = "# Titre\n\nDu **gras**,\nun [lien](https://x.example) et `du code`.\n\n```\nrien\n```\n\n- un\n- deux"
    assert plain_text(text) == "Titre Du gras, un lien et du code. un deux"


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("L’ÉTÉ à l'ŒUVRE", "l'ete a l'oeuvre"),
        ("Straße ﬁn ℌ", "strasse fin h"),
        ("  deux\n\tmots\0 ", "deux mots"),
        ("e\u0301te\u0301", "ete"),
    ],
)
def test_a_search_knows_neither_case_nor_accents(text: str, folded: str) -> None:
    assert searchable(text) == folded


@given(st.text())
def test_a_searchable_text_stays_the_same_when_made_searchable_again(text: str) -> None:
    assert searchable(searchable(text)) == searchable(text)
