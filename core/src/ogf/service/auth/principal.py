"""Whoever was let in, with the organisation and the scopes of their credential."""

from __future__ import annotations

from dataclasses import dataclass

SCOPES = {
    "read": "ask for figures, jobs and connectors",
    "run": "start, cancel and test syncs; includes read",
    "admin": "all of it",
}
_INCLUDED = {"read": ("read", "run", "admin"), "run": ("run", "admin"), "admin": ("admin",)}


@dataclass(frozen=True)
class Principal:
    """Who was let in.

    Attributes:
        name: how logs and jobs call them; never the credential.
        org_id: the only organisation they see, whatever a request says.
    """

    name: str
    org_id: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        return not self.scopes.isdisjoint(_INCLUDED[scope])
