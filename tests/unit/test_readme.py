"""What the README shows is what the routes answer."""

import json
from pathlib import Path

from gateway.models.game import Game
from gateway.schemas import to_json

README = Path(__file__).parents[2] / "README.md"


def test_the_sample_of_the_game_has_every_field_of_the_answer_and_no_other() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    (call,) = (number for number, line in enumerate(lines) if "/v1/me/game" in line and line.startswith("$"))
    sample = json.loads(lines[call + 1])

    assert json.loads(to_json(Game.model_validate(sample))) == sample
    assert sample["badges"], "one is shown"
