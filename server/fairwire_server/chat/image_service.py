"""Images of a chat: uploaded, sent later by id, delivered to whoever may see a message that shows them (C4, C9, W15).

The row comes first, with its bytes counted against the quota in the same transaction; then the files, named by the id that nobody
knows yet; then the answer. Whatever breaks in between leaves a row that was never sent, and the sweep undoes it after a day.
Deleting goes the other way: files, then row. An image is marked before it is deleted, and deleted only once every transaction
that could have been about to show it is over.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

import structlog

from fairwire_protocol.errors import FairwireError, Refused, Unavailable
from fairwire_protocol.models import Image
from fairwire_protocol.operations import chat as operations
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.rules import Caller
from fairwire_server.accounts.store import AccountStore
from fairwire_server.chat.image_format import ProcessedImage
from fairwire_server.chat.image_rules import may_see_image
from fairwire_server.chat.image_store import ImageRow, ImageStore
from fairwire_server.chat.images import ImageWorker
from fairwire_server.context import BinaryReply, Context
from fairwire_server.database.ids import uuid7
from fairwire_server.database.work import Work, Works
from fairwire_server.files.store import FileStore

__all__ = ["Images"]

UNSENT_FOR: Final = timedelta(days=1)
SETTLED_AFTER: Final = timedelta(seconds=30)  # far above a transaction's time limit
SWEEP_S: Final = 60.0
SWEPT_AT_ONCE: Final = 100

Size = Literal["full", "thumb"]


class Images:
    """Handlers of `chat.upload_image`, `chat.image`, `chat.thumbnail`; `run` sweeps in the background.

    `quota_bytes` counts the images as they are stored, without thumbnails.
    """

    def __init__(
        self,
        works: Works,
        commands: Commands,
        store: ImageStore,
        accounts: AccountStore,
        worker: ImageWorker,
        files: FileStore,
        *,
        quota_bytes: int,
    ) -> None:
        self._works = works
        self._commands = commands
        self._store = store
        self._accounts = accounts
        self._worker = worker
        self._files = files
        self._quota = quota_bytes
        self._log = structlog.get_logger("images")

    async def upload(self, caller: Caller, context: Context, request: operations.UploadImage, data: bytes) -> Image:
        """Check, re-encode and keep an image; it may then be sent by its id. Answers once it survives a power cut."""
        async with self._works.read() as work:
            if await self._store.used(work.connection, caller.account) >= self._quota:
                raise self._full()
        processed = await self._worker.process(data)
        image = uuid7()
        await self._claim(caller, context, request, image, processed)
        try:
            await self._files.put(_key(image, "full"), processed.data)
            await self._files.put(_key(image, "thumb"), processed.thumbnail)
        except (FairwireError, OSError) as error:
            await self._undo(image)
            if isinstance(error, FairwireError):
                raise
            raise Unavailable("storage_full", retry_after_ms=60_000) from error
        return Image(
            id=image,
            kind=processed.kind,
            width=processed.width,
            height=processed.height,
            bytes=len(processed.data),
        )

    async def _claim(
        self, caller: Caller, context: Context, request: operations.UploadImage, image: UUID, processed: ProcessedImage
    ) -> None:
        async def apply(work: Work, caller: Caller) -> Image:
            size = len(processed.data)
            if not await self._store.take_room(work.connection, caller.account, size, self._quota):
                raise self._full()
            await self._store.insert(work.connection, image, caller.fair, caller.account, processed, work.now)
            return Image(id=image, kind=processed.kind, width=processed.width, height=processed.height, bytes=size)

        await self._commands.run(operations.UPLOAD_IMAGE, caller, context, request, apply)

    def _full(self) -> Refused:
        return Refused("quota_exceeded", detail={"limit": self._quota})

    async def _undo(self, image: UUID) -> None:
        """Take a failed upload back at once; if that fails too, the sweep does it."""
        with suppress(FairwireError, OSError):
            await self._forget(image)

    async def full(self, caller: Caller, context: Context, request: operations.ImageRef) -> BinaryReply:
        """The image itself."""
        row = await self._visible(caller, request.image)
        return await self._reply(request.image, "full", f"image/{row.kind}")

    async def thumbnail(self, caller: Caller, context: Context, request: operations.ImageRef) -> BinaryReply:
        """At most 400 pixels wide and high."""
        await self._visible(caller, request.image)
        return await self._reply(request.image, "thumb", "image/webp")

    async def _reply(self, image: UUID, size: Size, content_type: str) -> BinaryReply:
        path = await self._files.path(_key(image, size))
        return BinaryReply(data=path, content_type=content_type, etag=f"{image.hex}-{size}")

    async def _visible(self, caller: Caller, image: UUID) -> ImageRow:
        """The image, or `not_found`, alike for one that does not exist and one that is not for this caller."""
        async with self._works.read() as work:
            row = await self._store.image(work.connection, image)
            if row is None:
                raise Refused("not_found")
            showings = await self._store.showings(work.connection, image, caller.account, caller.exhibitor)
        if may_see_image(caller, fair=row.fair_id, owner=row.owner_id, unsent=row.unsent, showings=showings):
            return row
        if caller.side == "organiser" and caller.fair == row.fair_id and await self._is_reported(caller, image):
            return row
        raise Refused("not_found")

    async def _is_reported(self, caller: Caller, image: UUID) -> bool:
        """A4: the organiser sees an image that a report names, and each time the audit log says so."""
        async with self._works.begin() as work:
            report = await self._store.report_of(work.connection, image, caller.fair)
            if report is None:
                return False
            await self._accounts.audit(
                work.connection, caller.fair, caller.account, "report.image", report, work.now, {"image": str(image)}
            )
        return True

    async def run(self) -> None:
        """Sweep once a minute, until cancelled."""
        while True:
            try:
                more = True
                while more:
                    more = await self.sweep() == SWEPT_AT_ONCE
            except (Unavailable, OSError) as error:
                self._log.warning("images not swept", error=type(error).__name__)
            await self._works.clock.sleep(SWEEP_S)

    async def sweep(self) -> int:
        """Delete images never sent for a day, and those whose messages were recalled; answers how many."""
        async with self._works.begin() as work:
            now = work.now
            await self._store.keep_shown(work.connection, now - SETTLED_AFTER)
            await self._store.give_up_unsent(work.connection, now, now - UNSENT_FOR)
        async with self._works.read() as work:
            gone = await self._store.gone(work.connection, now - SETTLED_AFTER, SWEPT_AT_ONCE)
        for image in gone:
            await self._forget(image)
        return len(gone)

    async def _forget(self, image: UUID) -> None:
        await self._files.delete(_key(image, "full"))
        await self._files.delete(_key(image, "thumb"))
        async with self._works.begin() as work:
            await self._store.forget(work.connection, image)


def _key(image: UUID, size: Size) -> str:
    """Where an image lies: 256 folders, chosen by the part of the id that is random."""
    return f"{image.hex[-2:]}/{image.hex}.{size}"
