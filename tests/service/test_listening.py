"""Where the service may listen, and how well its secrets protect it there."""

from __future__ import annotations

import pytest

from ogf.config import Settings
from ogf.errors import ConfigError
from ogf.service.network import is_loopback, require_own
from ogf.service.server import require_safe

LONG = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
@pytest.mark.parametrize("auth", [{"require": False}, {"api_key": "x"}, {}])
def test_on_this_machine_all_is_allowed(host: str, auth: dict) -> None:
    assert is_loopback(host)
    require_safe(host, Settings.model_validate({"auth": auth}).auth)


@pytest.mark.parametrize(
    ("auth", "told"),
    [
        ({"require": False}, "loopback only"),
        ({"api_key": "x"}, "api_key"),
        ({"jwt_secret": "x"}, "jwt_secret"),
    ],
)
def test_on_the_network_a_key_is_needed_and_a_long_one(auth: dict, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        require_safe("0.0.0.0", Settings.model_validate({"auth": auth}).auth)
    require_safe("0.0.0.0", Settings.model_validate({"auth": {"api_key": LONG, "jwt_secret": LONG}}).auth)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "2001:db8::1"])
def test_an_address_of_another_machine(host: str) -> None:
    with pytest.raises(ConfigError, match="is no address of this machine"):
        require_own(host)
    require_own("127.0.0.1")
