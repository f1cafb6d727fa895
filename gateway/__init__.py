"""The gateway: the one door to the academy. It owns the accounts (database `accounts`) and answers HTTP.

It tells `accounts.user_registered.v1` and `accounts.user_changed.v1`; each of its processes hears
`catalog.course_changed.v1` and `accounts.user_changed.v1` on an exclusive queue, to drop what it has cached, and what
`contracts.topology.GATEWAY_LIVE_EVENTS` names, to wake the live streams that it holds (`gateway/streams.py`).
`gateway/service.py` is a process of its own on the same database: other services ask it for names and addresses.

How a route is written (`gateway/routes/`): an `APIBlueprint` under `/v1`, and on the view, from the outside in: the
route, `@signed_in(...)` when it needs someone, `@blueprint.input(...)` for each input, `@blueprint.output(...)`.
Refusals are raised as `contracts.errors`; `gateway.document` adds security and problem answers to the OpenAPI document.
"""
