"""The cues of a transcript."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.catalog.domain.cues import MOST, Cue, check_cues
from services.catalog.formats import BadVttError, parse_vtt

times = st.integers(0, 3_600_000).map(lambda milliseconds: milliseconds / 1000)
ordered_cues = st.lists(st.tuples(times, st.integers(1, 60_000)), max_size=30).map(
    lambda pairs: [Cue(start, start + length / 1000, "Bonjour") for start, length in sorted(pairs)]
)


def stamp(seconds: float) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{milliseconds:03}"


def vtt(cues: list[Cue]) -> str:
    return "WEBVTT\n" + "".join(f"\n{stamp(c.start_seconds)} --> {stamp(c.end_seconds)}\n{c.text}\n" for c in cues)


@given(ordered_cues)
def test_cues_in_their_order_are_accepted_and_read_back_as_they_were_written(cues: list[Cue]) -> None:
    assert check_cues(cues, None) == ()
    read = parse_vtt(vtt(cues))
    assert [(stamp(c.start_seconds), stamp(c.end_seconds)) for c in read] == [
        (stamp(c.start_seconds), stamp(c.end_seconds)) for c in cues
    ]


@given(ordered_cues, st.data())
def test_a_cue_out_of_order_is_named(cues: list[Cue], data: st.DataObject) -> None:
    cues = [Cue(c.start_seconds + 10, c.end_seconds + 10, c.text) for c in cues]
    if not cues:
        return
    place = data.draw(st.integers(1, len(cues)))
    cues.insert(place, Cue(1.0, 2.0, "En retard"))
    assert [(r.pointer, r.code, r.parameters) for r in check_cues(cues, None)] == [
        (f"/cues/{place}", "cue-out-of-order", {"cue": place + 1})
    ]


def test_every_cue_that_starts_before_an_earlier_one_is_named() -> None:
    cues = [Cue(start, start + 1, "Bonjour") for start in (5, 1, 3, 5)]
    assert [refusal.pointer for refusal in check_cues(cues, None)] == ["/cues/1", "/cues/2"]


@given(ordered_cues, st.integers(1, 3600))
def test_every_cue_past_the_video_is_named_and_no_other(cues: list[Cue], seconds: int) -> None:
    past = [f"/cues/{index}" for index, cue in enumerate(cues) if cue.end_seconds >= seconds + 1]
    assert [refusal.pointer for refusal in check_cues(cues, seconds)] == past


def test_a_citation_at_four_thirty_does_not_fit_a_video_of_three_twenty_one() -> None:
    cues = [Cue(0, 10, "Bonjour"), Cue(270, 275, "Trop tard")]
    assert [(r.pointer, r.code) for r in check_cues(cues, 201)] == [("/cues/1", "cue-past-video")]
    assert check_cues([Cue(200, 201.7, "La fin")], 201) == ()


def test_a_cue_ends_after_it_starts() -> None:
    assert [r.code for r in check_cues([Cue(2, 2, "Rien")], None)] == ["cue-ends-before-start"]
    assert [r.code for r in check_cues([Cue(3, 2, "Rien")], None)] == ["cue-ends-before-start"]


def test_cues_may_overlap_and_begin_together() -> None:
    assert check_cues([Cue(1, 5, "Awa"), Cue(1, 3, "Ber"), Cue(2, 4, "Awa")], 5) == ()


def test_cues_are_counted_and_their_texts_bounded() -> None:
    assert [r.code for r in check_cues([Cue(0, 1, "a")] * (MOST + 1), None)] == ["too-many"]
    assert [(r.pointer, r.code) for r in check_cues([Cue(0, 1, "a" * 4001)], None)] == [("/cues/0", "too-many-bytes")]


def test_marks_and_entities_become_plain_text() -> None:
    cues = parse_vtt("WEBVTT\n\n1\n00:01.000 --> 00:02.500 align:start\n<v Awa>Du <b>gras</b> &amp; &lt;h1&gt;\nici\n")
    assert cues == (Cue(1.0, 2.5, "Du gras & <h1>\nici"),)


def test_styles_notes_headers_and_foreign_line_ends_are_understood() -> None:
    text = "\ufeffWEBVTT - Titre\nKind: captions\n\nNOTE rien\n\nSTYLE\n::cue{}\n\n00:01.000 --> 00:02.000\nOui\n"
    assert parse_vtt(text.replace("\n", "\r\n")) == (Cue(1.0, 2.0, "Oui"),)


def test_a_bare_header_is_a_transcript_without_cues() -> None:
    assert parse_vtt("WEBVTT\n") == ()


@pytest.mark.parametrize(
    "text", ["", "Bonjour", "1\n00:00:01,000 --> 00:00:02,000\nDu SubRip\n", "WEBVTT\n\nSans temps\n"]
)
def test_what_is_no_webvtt_is_refused_as_a_whole(text: str) -> None:
    with pytest.raises(BadVttError) as caught:
        parse_vtt(text)
    assert caught.value.cue is None


@pytest.mark.parametrize(
    "timing", ["00:03,000 --> 00:04,000", "00:03 --> 00:04", "00:99.000 --> 00:04.000", "00:03.000 -->", "a --> b"]
)
def test_a_cue_that_cannot_be_read_is_named(timing: str) -> None:
    good = "00:01.000 --> 00:02.000\nBonjour"
    with pytest.raises(BadVttError) as caught:
        parse_vtt(f"WEBVTT\n\nNOTE un mot\n\n{good}\n\n{good}\n\n{timing}\nMauvais\n\n{good}\n")
    assert caught.value.cue == 3
