"""Rows of images and what they take of an account's quota."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fairwire_server.chat.image_format import ImageKind, ProcessedImage
from fairwire_server.chat.image_rules import Showing
from fairwire_server.contacts.rules import Sight
from fairwire_server.database.pool import Connection, Row
from fairwire_server.database.queries import load_queries

__all__ = ["ImageRow", "ImageStore"]


@dataclass(frozen=True, slots=True)
class ImageRow:
    """An image, before its messages are looked at."""

    fair_id: UUID
    owner_id: UUID
    kind: ImageKind
    unsent: bool


class ImageStore:
    """Named queries over `image` and `account.image_bytes`."""

    def __init__(self) -> None:
        self._sql = load_queries(__package__, "images.sql")

    async def used(self, connection: Connection, account: UUID) -> int:
        """What the account's images take."""
        return int(await connection.fetchval(self._sql["room"], account) or 0)

    async def take_room(self, connection: Connection, account: UUID, size: int, quota: int) -> bool:
        """Whether `size` more bytes fit; then they are taken."""
        return bool(await connection.fetchval(self._sql["take_room"], account, size, quota))

    async def insert(
        self, connection: Connection, image: UUID, fair: UUID, owner: UUID, processed: ProcessedImage, now: datetime
    ) -> None:
        """A new image."""
        await connection.execute(
            self._sql["insert_image"],
            image,
            fair,
            owner,
            processed.kind,
            processed.width,
            processed.height,
            len(processed.data),
            now,
        )

    async def image(self, connection: Connection, image: UUID) -> ImageRow | None:
        """One image."""
        row = await connection.fetchrow(self._sql["image"], image)
        return None if row is None else ImageRow(**dict(row))

    async def showings(
        self, connection: Connection, image: UUID, account: UUID, exhibitor: UUID | None
    ) -> list[Showing]:
        """Messages that show the image in conversations of the account or of its exhibitor."""
        rows = await connection.fetch(self._sql["showings"], image, account, exhibitor)
        return [Showing(row["seq"], _sight(row)) for row in rows]

    async def report_of(self, connection: Connection, image: UUID, fair: UUID) -> UUID | None:
        """A report that names a message with the image."""
        found: UUID | None = await connection.fetchval(self._sql["report_of_image"], image, fair)
        return found

    async def give_up_unsent(self, connection: Connection, now: datetime, before: datetime) -> None:
        """Mark what was never sent."""
        await connection.execute(self._sql["give_up_unsent"], now, before)

    async def keep_shown(self, connection: Connection, before: datetime) -> None:
        """Unmark what a message still shows."""
        await connection.execute(self._sql["keep_shown"], before)

    async def gone(self, connection: Connection, before: datetime, limit: int) -> list[UUID]:
        """Images marked before `before` that nothing shows."""
        return [row["id"] for row in await connection.fetch(self._sql["gone"], before, limit)]

    async def forget(self, connection: Connection, image: UUID) -> None:
        """Delete the row and give its bytes back."""
        await connection.execute(self._sql["forget_image"], image)


def _sight(row: Row) -> Sight:
    return Sight(
        conversation=row["id"],
        fair=row["fair_id"],
        exhibitor=row["exhibitor_id"],
        buyer=row["buyer_id"],
        holder=row["holder_id"],
        last_seq=row["last_seq"],
        participates=row["participates"],
        readable_to=row["readable_to"],
        last_pos=None,
        pinned_at=None,
        starred_at=None,
        in_base=False,
    )
