"""GraphiQL, served from this process: no script of another host ever runs beside a learner's token."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response

_OWN = Path(__file__).parent / "static"
# A wheel that carries GraphiQL's browser files; none of its Python is imported.
_PACKAGE = "graphene_django_graphiql_static"
_FILES = {
    "graphiql.min.css": "text/css",
    "graphiql.min.js": "text/javascript",
    "react.production.min.js": "text/javascript",
    "react-dom.production.min.js": "text/javascript",
    "start.css": "text/css",
    "start.js": "text/javascript",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def page() -> Response:
    """Return the page."""
    return FileResponse(_OWN / "graphiql.html", media_type="text/html", headers={"Content-Security-Policy": _POLICY})


async def asset(request: Request) -> Response:
    """Return one of the page's files, or 404."""
    name = request.path_params["name"]
    if name not in _FILES:
        return Response(status_code=404)
    own = _OWN / name
    path = own if own.exists() else _package_folder() / name
    return FileResponse(path, media_type=_FILES[name], headers={"Cache-Control": "public, max-age=86400"})


def _package_folder() -> Path:
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:  # pragma: no cover - it is a dependency.
        raise FileNotFoundError(_PACKAGE)
    return Path(spec.origin).parent / "static" / _PACKAGE
