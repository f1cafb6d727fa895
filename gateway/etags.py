"""Reads that are the same for everybody: entity tags, how long they may be kept, and 304 for who has them already."""

from flask import Response, request

PUBLIC = "public, max-age=0, must-revalidate"
"""May be kept by anybody, and is asked about each time: a change shows at once, an unchanged page costs a 304."""

FOREVER = "public, max-age=31536000, immutable"


def shared_response(
    body: bytes, etag: str, *, cache_control: str = PUBLIC, content_type: str = "application/json"
) -> Response:
    """The body with its entity tag (quotes included), or 304 when the caller's `If-None-Match` names it."""
    if _is_named(etag, request.environ.get("HTTP_IF_NONE_MATCH")):
        response = Response(status=304)
        del response.headers["Content-Type"]
    else:
        response = Response(body, content_type=content_type)
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = cache_control
    return response


def _is_named(etag: str, header: str | None) -> bool:
    if header is None:
        return False
    named = [item.strip().removeprefix("W/") for item in header.split(",")]
    return etag in named or named == ["*"]
