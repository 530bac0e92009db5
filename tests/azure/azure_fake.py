"""Azure on loopback, over TLS: Entra ID's token endpoint, and ARM with its list of subscriptions.

Other services are added as routes: a handler takes the werkzeug request and gives a `Response`, or what is to be
sent as JSON; None is 204. Every route wants a valid access token, as ARM does::

    azure.route("POST", "/providers/Microsoft.Carbon/carbonEmissionReports", lambda request: {"value": []})
    azure.fail("carbonEmissionReports", 429, "TooManyRequests", retry_after="7")   # the next such request
    azure.expire_tokens()                                                          # 401 for all that are out
    azure.bodies("carbonEmissionReports")                                          # what was asked, in order

`azure.settings(page_size=2)` gives settings that read from here, `azure.variables()` the same for a process.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import trustme
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ogf_azure.settings import AzureSettings

if TYPE_CHECKING:
    from pathlib import Path

TENANT = "11111111-1111-1111-1111-111111111111"
CLIENT = "22222222-2222-2222-2222-222222222222"
SECRET = "planted-client-secret"
ARM_SCOPE = "https://management.azure.com/.default"
ARM_SCOPES = frozenset(
    {
        ARM_SCOPE,
        "https://management.core.usgovcloudapi.net/.default",
        "https://management.chinacloudapi.cn/.default",
    }
)

Handler = Callable[[Request], Any]


def subscription(number: int) -> str:
    """The id of the n-th subscription, in lower case: `00000000-0000-0000-0000-00000000000a` is the tenth."""
    return f"00000000-0000-0000-0000-{number:012x}"


def reply(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    text = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return Response(text, status, headers, content_type="application/json")


def arm_error(code: str, message: str = "injected") -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def entra_error(number: int, error: str = "invalid_client", text: str = "injected") -> dict[str, Any]:
    """A refusal as Entra ID writes it."""
    return {
        "error": error,
        "error_description": f"AADSTS{number}: {text} Trace ID: 0 Correlation ID: 0 Timestamp: 2026-01-01 00:00:00Z",
        "error_codes": [number],
        "timestamp": "2026-01-01 00:00:00Z",
        "trace_id": "0",
        "correlation_id": "0",
    }


@dataclass(frozen=True)
class Call:
    """One request as it came, and the status of its answer."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    headers: dict[str, str]
    form: dict[str, str]
    status: int

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Fault:
    """What to answer instead, to a request whose `METHOD path?query` contains `part`."""

    part: str
    answer: Callable[[], Response]


@dataclass
class AzureFake:
    """The server, its state, and what tests ask of it. One per test session; `reset` before each test."""

    folder: Path
    subscriptions: list[dict[str, Any]] = field(default_factory=list)
    page_size: int = 100
    token_life: int = 3599
    secret: str = SECRET
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        authority = trustme.CA()
        self.ca = self.folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        self._lock = threading.Lock()
        self._server = HTTPServer(host="127.0.0.1", port=0, ssl_context=context, threaded=True)
        self._server.start()
        self.url = f"https://127.0.0.1:{self._server.port}"
        self.reset()

    def close(self) -> None:
        self._server.clear()
        self._server.stop()

    def reset(self) -> None:
        self._server.clear()
        self._server.expect_request(re.compile(".*")).respond_with_handler(self._serve)
        self._routes: list[tuple[str, re.Pattern[str], Handler, frozenset[str] | None]] = []
        self._faults: list[Fault] = []
        self._tokens: dict[str, tuple[str, float]] = {}
        self._numbered = 0
        self.calls.clear()
        self.page_size, self.token_life, self.secret = 100, 3599, SECRET
        self.has(subscription(1))
        self.route("GET", "/subscriptions", self._subscriptions)

    # what a test sets up

    def settings(self, **values: Any) -> AzureSettings:
        """Settings with a client secret, for this server: `azure.settings(subscription_ids=[…])`."""
        return AzureSettings.model_validate(self.values() | values)

    def values(self) -> dict[str, Any]:
        return {
            "tenant_id": TENANT, "client_id": CLIENT, "client_secret": self.secret, "endpoint_url": self.url,
            "authority_url": self.url, "ca_bundle": str(self.ca), "request_timeout": 5,
        }  # fmt: skip

    def variables(self, **more: str) -> dict[str, str]:
        """The same for a process of its own."""
        given = {f"OFFGRIDFLOW_AZURE_{name.upper()}": str(value) for name, value in self.values().items()}
        return given | {f"OFFGRIDFLOW_AZURE_{name.upper()}": value for name, value in more.items()}

    def has(self, *ids: str, state: str = "Enabled") -> None:
        """Let the caller see these subscriptions and no others."""
        self.subscriptions = [
            {"id": f"/subscriptions/{one}", "subscriptionId": one, "displayName": f"demo {n}", "state": state}
            for n, one in enumerate(ids)
        ]

    def route(
        self,
        method: str,
        path: str | re.Pattern[str],
        handler: Handler,
        *,
        scopes: frozenset[str] | None = ARM_SCOPES,
    ) -> None:
        """Serve one more path (case does not matter, as in ARM). The newest route that fits is used.

        Args:
            scopes: access tokens for one of these are accepted; None: no token is wanted.
        """
        pattern = path if isinstance(path, re.Pattern) else re.compile(re.escape(path), re.IGNORECASE)
        self._routes.insert(0, (method, pattern, handler, scopes))

    def fail(
        self,
        part: str,
        status: int,
        code: str = "",
        message: str = "injected",
        *,
        times: int = 1,
        **headers: str,
    ) -> None:
        """Answer the next requests whose `METHOD path?query` contains `part` with an error of ARM's shape.

        Headers are written with `_` for `-`; those with dots go into `answer`.
        """
        body = arm_error(code or str(status), message)
        self.answer(part, body, status, {k.replace("_", "-"): v for k, v in headers.items()}, times=times)

    def answer(
        self,
        part: str,
        body: Any,
        status: int = 200,
        headers: dict[str, str] | None = None,
        *,
        times: int = 1,
    ) -> None:
        """Answer the next requests whose `METHOD path?query` contains `part` with anything."""
        self._faults += [Fault(part, lambda: reply(body, status, headers))] * times

    def refuse_tokens(
        self, number: int, error: str = "invalid_client", *, status: int = 401, times: int = 1
    ) -> None:
        """Let Entra ID refuse the next tokens with `AADSTS<number>`."""
        self.answer("/oauth2/v2.0/token", entra_error(number, error), status, times=times)

    def slow(self, part: str, seconds: float) -> None:
        """Serve the next such request late, and without sense."""

        def late() -> Response:
            time.sleep(seconds)
            return reply({})

        self._faults.append(Fault(part, late))

    def cut(self, part: str, *, times: int = 1) -> None:
        """Promise more bytes than are sent."""

        def short() -> Response:
            return Response(
                iter([b'{"value": [']), 200, {"Content-Length": "1000"}, content_type="application/json"
            )

        self._faults += [Fault(part, short)] * times

    def expire_tokens(self) -> None:
        """Withdraw every access token that is out, whatever its end."""
        with self._lock:
            self._tokens = {name: (scope, 0.0) for name, (scope, _) in self._tokens.items()}

    # what a test asks

    def asked(self, part: str = "") -> list[Call]:
        return [call for call in self.calls if part.lower() in call.line.lower()]

    def count(self, part: str = "") -> int:
        return len(self.asked(part))

    def bodies(self, part: str) -> list[Any]:
        return [call.json for call in self.asked(part)]

    @property
    def token_calls(self) -> int:
        return self.count("POST /" + TENANT + "/oauth2/v2.0/token")

    # the server

    def _serve(self, request: Request) -> Response:
        body = request.get_data(cache=True)
        response = self._fault(request) or self._respond(request)
        call = Call(
            request.method, request.path, request.args.to_dict(), body,
            {name.lower(): value for name, value in request.headers.items()}, request.form.to_dict(),
            response.status_code,
        )  # fmt: skip
        with self._lock:
            self.calls.append(call)
        return response

    def _fault(self, request: Request) -> Response | None:
        line = f"{request.method} {request.full_path}".lower()
        with self._lock:
            fault = next((fault for fault in self._faults if fault.part.lower() in line), None)
            if fault is not None:
                self._faults.remove(fault)
        return fault.answer() if fault else None

    def _respond(self, request: Request) -> Response:
        if "/v2.0/.well-known/openid-configuration" in request.path:
            return self._discovery(request.path.split("/")[1])
        if request.path.endswith("/oauth2/v2.0/token"):
            return self._token(request)
        for method, pattern, handler, scopes in self._routes:
            if method == request.method and pattern.fullmatch(request.path):
                refusal = self._refusal(request, scopes) if scopes is not None else None
                if refusal is not None:
                    return refusal
                given = handler(request)
                if given is None:
                    return Response(status=204)
                return given if isinstance(given, Response) else reply(given)
        return reply(arm_error("ResourceNotFound", f"no route for {request.method} {request.path}"), 404)

    def _discovery(self, tenant: str) -> Response:
        if tenant != TENANT:
            return reply(entra_error(90002, "invalid_tenant", f"Tenant '{tenant}' not found."), 400)
        here = f"{self.url}/{tenant}"
        return reply({
            "issuer": f"{here}/v2.0",
            "jwks_uri": f"{here}/keys",
            "token_endpoint": f"{here}/oauth2/v2.0/token",
            "authorization_endpoint": f"{here}/oauth2/v2.0/authorize",
        })  # fmt: skip

    def _token(self, request: Request) -> Response:
        form = request.form
        if form.get("client_id") != CLIENT:
            return reply(entra_error(700016, "unauthorized_client", "Application was not found."), 400)
        if form.get("client_secret") != SECRET and "client_assertion" not in form:
            return reply(entra_error(7000215, text="Invalid client secret provided."), 401)
        scope = next(one for one in form["scope"].split() if "/" in one)
        with self._lock:
            self._numbered += 1
            token = f"planted-access-token-{self._numbered}"
            self._tokens[token] = (scope, time.time() + self.token_life)
        life = self.token_life
        return reply(
            {"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token}
        )

    def _refusal(self, request: Request, scopes: frozenset[str]) -> Response | None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        scope, end = self._tokens.get(given, ("", 0.0))
        if scope not in scopes:
            return reply(arm_error("InvalidAuthenticationToken", "The access token is invalid."), 401)
        if end <= time.time():
            return reply(arm_error("ExpiredAuthenticationToken", "The access token expired."), 401)
        return None

    def _subscriptions(self, request: Request) -> dict[str, Any]:
        if "api-version" not in request.args:
            return reply(arm_error("MissingApiVersionParameter"), 400)
        start = int(request.args.get("$skiptoken", "0"))
        end = start + self.page_size
        link = (
            f"{self.url}/subscriptions?api-version={request.args['api-version']}&{quote('$skiptoken')}={end}"
        )
        more = end < len(self.subscriptions)
        return {"value": self.subscriptions[start:end], **({"nextLink": link} if more else {})}
