"""A database with the importer before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairwire_server.database.pool import Database
from tests.importing.helpers import FAIR, Fairground


@pytest.fixture
def ground(database: Database, tmp_path: Path) -> Fairground:
    """An empty database and a folder for files."""
    return Fairground(database, tmp_path)


@pytest.fixture
async def fair(ground: Fairground) -> Fairground:
    """A fair with two sections and two exhibitors, imported."""
    await ground.rows(
        fairs=[FAIR],
        sections=[
            {"id": "s1", "name_zh": "电子", "name_en": "Electronics"},
            {"id": "s2", "name_zh": "", "name_en": "Tools"},
        ],
        exhibitors=[
            {
                "id": "X1",
                "name_zh": "广州天河电子",
                "name_en": "Tianhe",
                "domicile": "domestic",
                "sections": "s1;s2",
                "login": "",
            },
            {
                "id": "X2",
                "name_zh": "",
                "name_en": "Müller GmbH",
                "domicile": "overseas",
                "sections": "",
                "login": "mueller",
            },
        ],
    )
    return ground
