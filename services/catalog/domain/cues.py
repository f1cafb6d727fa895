"""The cues of a lesson's transcript."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.catalog.domain.refusals import Refusal, check_text

MOST = 10_000
TEXT_BYTES = 4_000
FILE_BYTES = 1_000_000


@dataclass(frozen=True)
class Cue:
    """What is said from `start_seconds` to `end_seconds`, as text without marks."""

    start_seconds: float
    end_seconds: float
    text: str


def check_cues(cues: Sequence[Cue], video_seconds: int | None) -> tuple[Refusal, ...]:
    """What is wrong with the cues, naming each: they start in order (WebVTT 1.0, 4.1) and end after they start.

    They lie inside the video; its duration is in whole seconds rounded down, None when there is no video or it is not
    known yet.
    """
    if len(cues) > MOST:
        return (Refusal("/cues", "too-many", {"maximum": MOST}),)
    refusals: tuple[Refusal, ...] = ()
    latest = 0.0
    for index, cue in enumerate(cues):
        pointer, number = f"/cues/{index}", {"cue": index + 1}
        if cue.start_seconds < latest:
            refusals += (Refusal(pointer, "cue-out-of-order", number),)
        if cue.end_seconds <= cue.start_seconds:
            refusals += (Refusal(pointer, "cue-ends-before-start", number),)
        if video_seconds is not None and not ends_inside(cue.end_seconds, video_seconds):
            refusals += (Refusal(pointer, "cue-past-video", number | {"duration_seconds": video_seconds}),)
        refusals += check_text(pointer, cue.text, TEXT_BYTES)
        latest = max(latest, cue.start_seconds)
    return refusals


def ends_inside(end_seconds: float, video_seconds: int) -> bool:
    """Whether a moment lies inside a video whose duration was rounded down to whole seconds."""
    return end_seconds < video_seconds + 1
