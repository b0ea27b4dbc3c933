"""Folding is shared by every test of text: its tables only ever grow."""

from __future__ import annotations

import pytest

from fairwire_server.chat.search_tokens import SearchTokens
from fairwire_server.folding import Folding


@pytest.fixture(scope="session")
def folding() -> Folding:
    """One folding for the session."""
    return Folding()


@pytest.fixture(scope="session")
def tokens(folding: Folding) -> SearchTokens:
    """Tokens and queries from that folding."""
    return SearchTokens(folding)
