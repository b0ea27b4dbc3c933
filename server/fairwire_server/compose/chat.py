"""Conversations: opening, sending, reading, images, search, transfers, moderation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from fairwire_server.chat.acts import Acts
from fairwire_server.chat.image_format import ImageLimits
from fairwire_server.chat.image_service import Images
from fairwire_server.chat.image_store import ImageStore
from fairwire_server.chat.images import ImageWorker
from fairwire_server.chat.indexing import Indexer
from fairwire_server.chat.keyword_lists import KeywordLists
from fairwire_server.chat.moderation import LiveFigures, Moderation
from fairwire_server.chat.moderation_store import ModerationStore
from fairwire_server.chat.noticing import ChatNoticing
from fairwire_server.chat.opening import Opening
from fairwire_server.chat.posting import Posting
from fairwire_server.chat.reading import Reading
from fairwire_server.chat.receipts import Receipts
from fairwire_server.chat.routing import Routing
from fairwire_server.chat.search import Search
from fairwire_server.chat.search_store import SearchStore
from fairwire_server.chat.sending import Sender
from fairwire_server.chat.transfers import Transfers
from fairwire_server.compose.ground import Ground
from fairwire_server.files.store import FileStore

__all__ = ["build_chat", "build_posting"]


def build_posting(g: Ground) -> Callable[[], Posting]:
    """A maker of what one transaction posts with."""
    span = max(1, g.settings.recent_max - g.settings.pins_max)
    return lambda: Posting(g.chat_store, g.contact_store, g.streams, span=span)


def build_chat(g: Ground) -> dict[str, Any]:
    """By their names in `Services`."""
    settings, works, store = g.settings, g.works, g.chat_store
    posting = build_posting(g)
    routing = Routing(store, g.presences.online)
    search_store = SearchStore()
    indexer = Indexer(works, search_store, g.search_tokens)
    moderation_store, noticing = ModerationStore(), ChatNoticing(g.planning)
    keyword_lists = KeywordLists(works, moderation_store, g.folding)

    def observe_batch(size: int, seconds: float) -> None:
        g.metrics.batch_size.observe(size)
        g.metrics.commit_seconds.observe(seconds)

    sender = Sender(
        works,
        store,
        posting,
        routing,
        keyword_lists,
        text_max=settings.text_max,
        accepted=indexer.feed if settings.search_index else lambda _: None,
        observe=observe_batch,
    )
    return {
        **_images(g),
        "opening": Opening(g.commands, store, g.contact_store, routing, posting),
        "sender": sender,
        **_around_messages(g, posting, sender, noticing),
        "search": Search(works, search_store, g.contact_store, g.search_tokens),
        "indexer": indexer,
        "keyword_lists": keyword_lists,
        "moderation": Moderation(
            works,
            g.commands,
            moderation_store,
            g.store,
            g.contact_store,
            g.streams,
            noticing,
            keyword_lists,
            lambda fair: LiveFigures(*g.hub.figures(fair)),
        ),
    }


def _around_messages(
    g: Ground, posting: Callable[[], Posting], sender: Sender, noticing: ChatNoticing
) -> dict[str, Any]:
    settings, works, store = g.settings, g.works, g.chat_store
    return {
        "reading": Reading(works, store, g.contact_store),
        "receipts": Receipts(works, store, g.contact_store, g.streams, sender.holding),
        "acts": Acts(
            works,
            g.commands,
            store,
            g.contact_store,
            g.streams,
            noticing,
            recall_for=timedelta(seconds=settings.recall_s),
            waiting_minutes=settings.waiting_minutes,
        ),
        "transfers": Transfers(
            works,
            g.commands,
            store,
            g.contact_store,
            posting,
            g.presences.online,
            noticing,
            offer_for=timedelta(seconds=settings.offer_s),
        ),
    }


def _images(g: Ground) -> dict[str, Any]:
    settings = g.settings
    limits = ImageLimits(max_bytes=settings.image_max_bytes, max_pixels=settings.image_max_pixels)
    worker, files = ImageWorker(limits), FileStore(settings.data_dir / "images")
    images = Images(g.works, g.commands, ImageStore(), g.store, worker, files, quota_bytes=settings.image_quota_bytes)
    return {"images": images, "image_worker": worker, "files": files}
