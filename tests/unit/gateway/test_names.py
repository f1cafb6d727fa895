"""What nobody may be called, in any disguise; what everybody may; and the names in place of names."""

import re
import unicodedata
from collections import Counter
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import Invalid
from gateway.domain.names import is_blocked, is_like_web_address, is_shown_by_name
from gateway.messages import LANGUAGES, Language, catalogue
from gateway.names import pseudonym, refuse_blocked, words
from services.gamification.domain.badges import CODES

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BLOCKED, RESERVED = words("blocked"), words("reserved")
ENDINGS = frozenset(words("endings"))


@pytest.mark.parametrize(
    "name",
    [
        "pute",
        "PUTE",
        "Pûté",
        "une pute là",
        "p.u.t.e",
        "P U T E",
        "pu-te",
        "p*u*t*e",
        "_pute_",
        "xX_pute_Xx",
        "GrosPute",
        "PuTe",
        "puuuuute",
        "putttte",
        "pute69",
        "pu7e",
        "put€",
        "b!te",
        "b1te",
        "5alope",
        "$@LOPE",
        "c0nn4rd",
        "3ncu13",
        "Gros Con",
        "fils de pute",
        "filsdepute",
        "N.T.M",
        "conne",
        "Fucker",
        "MotherFucker",
        "f u c k",
        "nìggà",
        "Nazi",
        "AdolfHitler",
        "p\u200bu\u200bt\u200be",
        "pu\u00adte",
        "рutе",
        "ρυτε",
        "ＰＵＴＥ",
        "ⓟⓤⓣⓔ",
        "𝓹𝓾𝓽𝓮",
        "ᴘᴜᴛᴇ",
        "🅿🆄🆃🅴",
        "p̶u̶t̶e̶",
        "saløpe",
        "Les 😈 putes 😈",
    ],
)
def test_a_blocked_word_is_found_in_any_disguise(name: str) -> None:
    assert is_blocked(name, BLOCKED)


@pytest.mark.parametrize(
    "name",
    [
        "Admin",
        "ADMIN",
        "admin42",
        "4dm1n",
        "Modérateur",
        "modératrice",
        "L’admin",
        "TankaAcademy",
        "TankaBot",
        "xTankaBotx",
        "Tanka Academy",
        "tanka_bot",
        "Tаnkа Воt",
        "A.d.m.i.n",
        "Support Tanka",
        "Équipe Tanka",
    ],
)
def test_what_would_pass_for_the_academy_is_found_too(name: str) -> None:
    assert is_blocked(name, RESERVED)


PEOPLE = """
Awa Diop|Ana L.|Ana-Lise|Anal Shah|Assia Dickens|Philip K. Dick|Moby Dick|Connie Hancock|Constance Cockburn|Conn Murphy
Sean Connery|Conor|Concetta|Conan|Nikita|Nikos Papadopoulos|Dominique|Monique|Véronique
Nicolas Petit-Jean|Matsushita Yoshito|Takeshita|Ikeshita|Mikael Putera|Puteri|Sextus|Essex|Bastien Salaun|Salomé
Solape|Salaheddine|Baptiste Lebatard-Dupré|Jean-Luc Branly|Bitterlin|Bitton|Abitbol|Habib Beye|Cyprien Cumin|Tito
Titouan|Titsworth|Cassandra|Cassius|Hassan|Gassama|Assane|Yassine|Massey|Grace Assouline|Shirin|Ashita Sharma
Pakistan Zindabad|Kike Hernández|Jihad Benali|Isis Dupont|Adolphe Sax|Mohamed Négrier|Lenègre|Montenegro|Sergio Negri
Violette|Viola Davis|Pedersen|Pedro|Pédro|Fabien Pelous|Wanknawa|Whorley|Horeb|Penelope|Penisson|Clitandre|Zobel|Merdeka
Tanka Prasad|Tanka|Adminata Sow|Aminata|Modou|Modeste|Moderato|Maud O.|Fatou N’Diaye|Mānoa Tetuanui
Zoé P. U.|Naz I. Öztürk
"""
PLACES = """
Scunthorpe|Penistone|Clitheroe|Lightwater|Essex|Middlesex|Sussex|Cockermouth|Arsenal|Puteaux|Bitche|Condom|Montcuq
Connecticut|Connemara|Le Cannet|Conques|Concarneau|Confolens|Val de Baïse|Vatan|Anus|Putte|Putten|Phuket|Cul-des-Sarts
Salopettes|Merdrignac|Saint-Nazaire|Nazareth|Chierry|Niort|Shitterton|Fort-Mahon|Bouc-Bel-Air
Sainte-Foy-lès-Lyon|Aix-les-Bains|Pissy|Bourré|Corps-Nuds|Poil|Trécon|Cunault|Chinkapin|Massachusetts
"""
MOTTOS = """
Toujours plus haut !|On ne lâche rien|Apprendre, jouer, gagner|Computer Science Club|Les disputes, c’est fini
La réputation avant tout|Team Députés|Python & Co|100 % motivés|Les as de la classe|Un pour tous, tous pour un
Input/Output|Hello, World!|Qui s’y frotte s’y pique|Les Pieds Nickelés|Le Club des 5|1337 h4x0r|Never give up
"""


@pytest.mark.parametrize("names", [PEOPLE, PLACES, MOTTOS], ids=["people", "places", "mottos"])
def test_names_that_merely_contain_a_word_are_nobodys_trouble(names: str) -> None:
    innocent = [name for line in names.strip().splitlines() for name in line.split("|")]

    refused = [name for name in innocent if is_blocked(name, BLOCKED) or is_blocked(name, RESERVED)]

    assert refused == []
    assert [name for name in innocent if is_like_web_address(name, ENDINGS)] == []


@pytest.mark.parametrize(
    "name",
    [
        "mechant.com",
        "www.mechant.example",
        "www2.mechant.example",
        "WWW.Mechant.Example",
        "http://mechant.example",
        "HTTPS://mechant.example/a?b=c",
        "ftp://mechant",
        "Va sur Mechant.COM !",
        "Awa (mechant.com)",
        "awa@mechant.fr",
        "bit.ly/3abc",
        "t.me/mechant",
        "discord.gg/mechant",
        "mechant.co.uk",
        "mechant.com:8080",
        "mechant.com.",
        "mechant.com_",
        "mechant.com.suite",
        "très-méchant.fr",
        "méchant.xn--p1ai",
        "mechant\u200b.c\u00adom",
        "ｍｅｃｈａｎｔ．ｃｏｍ",
        "mechant。com",
        "192.168.0.1",
        "http://3232235521",
    ],
)
def test_what_becomes_a_link_is_like_a_web_address(name: str) -> None:
    assert is_like_web_address(name, ENDINGS)


@pytest.mark.parametrize(
    "name",
    [
        "M. Dupont",
        "M.Dupont",
        "J.-P.",
        "J.-P. Martin",
        "J.R.R. Tolkien",
        "Dr. Who",
        "Team 2.0",
        "Équipe 3.14",
        "N.A.S.A.",
        "A. C. Milan",
        "A.C. Milan",
        "Fatou Ba",
        "Awa D.",
        "St. John",
        "Hum... fr",
        "Attends…moi",
        "Com'",
        ".com",
        "com",
        "www",
        "Awa/Ber",
        "Awa : fr",
        "Next.js",
        "1.2.3",
        "Les 4.5.6.7.8",
        "Awww. Trop mignon",
    ],
)
def test_a_name_with_a_dot_is_not(name: str) -> None:
    assert not is_like_web_address(name, ENDINGS)


LABELS = st.from_regex(r"[a-zé0-9]([a-zé0-9-]{0,10}[a-zé0-9])?", fullmatch=True)


@settings(max_examples=100)
@given(
    st.lists(LABELS, min_size=1, max_size=3),
    st.sampled_from(sorted(ENDINGS)),
    st.sampled_from(["", " ", "(", "«", "_"]),
)
def test_every_host_with_a_known_ending_is_found_wherever_it_stands(labels: list[str], ending: str, sign: str) -> None:
    host = ".".join([*labels, ending])

    for written in (host, host.upper(), f"Viens{sign or ' '}{host}{sign or ' '}vite"):
        assert is_like_web_address(written, ENDINGS), written


@settings(max_examples=100)
@given(st.text(max_size=40))
def test_without_a_dot_inside_a_word_or_a_scheme_nothing_is(text: str) -> None:
    apart = re.sub(r"[.。]", ". ", unicodedata.normalize("NFKC", text)).replace("/", "")

    assert not is_like_web_address(apart, ENDINGS)


@settings(max_examples=50)
@given(st.sampled_from([word for word in BLOCKED if "*" not in word and " " not in word]), st.data())
def test_no_word_of_the_list_is_hidden_by_accents_case_and_what_cannot_be_seen(word: str, data: st.DataObject) -> None:
    disguised = "".join(
        data.draw(st.sampled_from([letter, letter.upper(), f"{letter}\u0301", f"{letter}\u200d", f"{letter}\u0336"]))
        for letter in word
    )

    assert is_blocked(disguised, BLOCKED)


@settings(max_examples=50)
@given(st.text(max_size=80))
def test_any_text_is_a_name_or_not(text: str) -> None:
    assert is_blocked(text, BLOCKED) in (True, False)


def test_the_lists_are_in_the_form_that_they_say() -> None:
    for name in ("blocked", "reserved"):
        assert [word for word in words(name) if not re.fullmatch(r"\*?[a-z]+( [a-z]+)*\*?", word)] == []
        assert [word for word, times in Counter(words(name)).items() if times > 1] == []
    assert [ending for ending in words("endings") if not re.fullmatch(r"[a-z]{2,}", ending)] == []
    assert len(ENDINGS) == len(words("endings"))


def test_the_academys_own_names_are_refused_to_students_only() -> None:
    with pytest.raises(Invalid) as refused:
        refuse_blocked("/name", "TankaAcademy", "student")
    refuse_blocked("/name", "TankaAcademy", "instructor")
    with pytest.raises(Invalid) as blocked:
        refuse_blocked("/motto", "p.u.t.e", "admin")

    assert [(error.pointer, error.code) for error in refused.value.errors] == [("/name", "reserved-name")]
    assert [(error.pointer, error.code) for error in blocked.value.errors] == [("/motto", "blocked-name")]


def test_a_web_address_is_refused_to_everybody() -> None:
    with pytest.raises(Invalid) as refused:
        refuse_blocked("/name", "mechant.com", "admin")

    assert [(error.pointer, error.code) for error in refused.value.errors] == [("/name", "web-address")]


@pytest.mark.parametrize(
    ("birth_year", "is_hidden", "shown"),
    [(None, False, False), (2012, False, False), (2011, False, False), (2010, False, True), (1990, True, False)],
)
def test_the_young_those_without_a_birth_year_and_the_hidden_are_not_shown_by_name(
    birth_year: int | None, *, is_hidden: bool, shown: bool
) -> None:
    assert is_shown_by_name(birth_year, NOW, is_hidden=is_hidden) is shown


SEED = UUID("3f2b8c1e-9a57-4d1b-8f66-0c2d4e6f8a91")


def test_a_pseudonym_stays_the_same_and_is_the_same_animal_in_both_languages() -> None:
    french, english = pseudonym(SEED, "fr"), pseudonym(SEED, "en")

    assert (french, english) == ("Sterne futée 3401", "Sharp Tern 3401")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_of_pseudonyms_pair_and_none_is_twice(language: Language) -> None:
    nouns = [catalogue(language)[f"pseudonym.nouns.{gender}"].split(", ") for gender in ("masculine", "feminine")]
    adjectives = [
        catalogue(language)[f"pseudonym.adjectives.{gender}"].split(", ") for gender in ("masculine", "feminine")
    ]

    assert [len(noun) for noun in nouns] == [24, 24]
    assert [len(adjective) for adjective in adjectives] == [24, 24]
    assert len(set(nouns[0] + nouns[1])) == 48
    assert [word for word in nouns[0] + nouns[1] + adjectives[0] + adjectives[1] if is_blocked(word, BLOCKED)] == []


def test_adjectives_agree_with_their_animals() -> None:
    feminine = set(catalogue("fr")["pseudonym.nouns.feminine"].split(", "))
    of_gender = {
        gender: set(catalogue("fr")[f"pseudonym.adjectives.{gender}"].split(", "))
        for gender in ("masculine", "feminine")
    }
    for _ in range(300):
        noun, adjective, number = pseudonym(uuid4(), "fr").split()
        assert adjective in of_gender["feminine" if noun in feminine else "masculine"]
        assert 1000 <= int(number) <= 9999


def test_pseudonyms_are_spread_over_all_words() -> None:
    found = [pseudonym(uuid4(), "fr").split() for _ in range(3000)]

    assert len({noun for noun, _, _ in found}) == 48
    assert len({" ".join(parts) for parts in found}) > 2990


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_badge_has_a_name(language: Language) -> None:
    assert [code for code in CODES if f"badge.{code}" not in catalogue(language)] == []
