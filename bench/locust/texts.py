"""What people write: texts of realistic lengths, six in ten Chinese, and a photograph to send."""

from __future__ import annotations

import random
from io import BytesIO
from typing import Final

from PIL import Image

from bench.locust.habits import Habits

__all__ = ["WORDS", "photograph", "text"]

CHINESE: Final = (
    "您好", "请问", "最小起订量是多少", "可以发一下报价单吗", "我们对这款产品很感兴趣", "交货期大概多久", "能提供样品吗", "付款方式怎么谈",
    "我们在广州有仓库", "是否支持定制颜色", "包装可以印我们的商标吗", "谢谢", "稍后发给您", "价格是含税的", "这款目前有现货",
    "运费由哪一方承担", "我们需要欧盟的认证", "数量大可以再优惠", "明天下午方便视频吗", "请看一下附图", "质保两年", "我先和同事确认一下",
)  # fmt: skip
ENGLISH: Final = (
    "hello", "what is your minimum order quantity", "could you send me a quotation", "we are interested in this model",
    "how long is the lead time", "do you offer samples", "payment by letter of credit", "can you print our logo on the box",
    "thank you", "I will send it shortly", "the price includes tax", "this one is in stock", "who pays for the freight",
    "we need a CE certificate", "is there a discount for a full container", "let me check with my colleague",
)  # fmt: skip
WORDS: Final = (
    "报价",
    "样品",
    "交货",
    "认证",
    "谢",
    "quotation",
    "sample",
    "freight",
    "stock",
    "贸易",
    "Trade",
    "灯",
    "机械",
)
SHORTEST: Final = 6
LONGEST: Final = 60
LATIN: Final = 2.5  # characters of an English sentence for one of a Chinese one


def text(habits: Habits, chance: random.Random) -> str:
    """One message."""
    chinese = habits.happens("both.chinese", chance)
    parts, joint, factor = (CHINESE, "，", 1.0) if chinese else (ENGLISH, ", ", LATIN)
    length = min(LONGEST, max(SHORTEST, habits.value("both.length") * chance.lognormvariate(0, 0.6))) * factor
    made = chance.choice(parts)
    while len(made) < length:
        made += joint + chance.choice(parts)
    return made[: max(SHORTEST, int(length))]


def photograph(chance: random.Random, side: int = 640) -> bytes:
    """A JPEG of some tens of KiB: noise over a gradient, for a flat picture would cost the server too little."""
    noise = Image.frombytes("RGB", (80, 60), chance.randbytes(80 * 60 * 3)).resize((side, side * 3 // 4))
    out = BytesIO()
    noise.save(out, "JPEG", quality=70)
    return out.getvalue()
