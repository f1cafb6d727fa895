"""Pictures for covers and avatars."""

from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response

from contracts.errors import NotFound
from gateway import handlers, queries, rates
from gateway.auth import caller, signed_in
from gateway.dependencies import parts
from gateway.etags import FOREVER, shared_response
from gateway.models import accounts as models
from gateway.pictures import reencode

blueprint = APIBlueprint("images", __name__, url_prefix="/v1", tag="Images")

_BINARY: dict[str, dict[str, Any]] = {
    media_type: {"schema": {"type": "string", "format": "binary"}}
    for media_type in ("image/png", "image/jpeg", "image/webp")
}
_ANSWERS: dict[int | str, dict[str, str | dict[str, dict[str, Any]]]] = {
    200: {"description": "The picture", "content": _BINARY}
}


@blueprint.post("/images")
@signed_in("instructor")
@blueprint.input(models.ImageIn, location="files")
@blueprint.output(models.ImageOut, status_code=201)
def upload_image(files_data: models.ImageIn) -> tuple[dict[str, str], int, dict[str, str]]:
    """Keep a picture (PNG, JPEG or WebP, at most 8 MiB), made anew without its metadata."""
    own = parts()
    someone = caller()
    own.rates.spend(rates.IMAGES, str(someone.id))
    media_type, content = reencode(files_data.image.read())
    with own.database.unit_of_work() as unit_of_work:
        image_id = handlers.keep_image(unit_of_work, someone.id, media_type, content, own.now())
    url = f"{own.settings.public_url.rstrip('/')}/v1/images/{image_id}"
    return {"url": url}, 201, {"Location": url}


@blueprint.get("/images/<uuid:image_id>")
@blueprint.doc(responses=_ANSWERS)
def get_image(image_id: UUID) -> Response:
    """A picture; it never changes."""
    with parts().database.single_statement() as unit_of_work:
        found = queries.image(unit_of_work.connection, image_id)
    if found is None:
        raise NotFound()
    media_type, content = found
    response = shared_response(content, f'"{image_id.hex}"', cache_control=FOREVER, content_type=media_type)
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response
