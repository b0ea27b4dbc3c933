"""Company names: Chinese ones in both scripts, and those of other countries."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from fairwire_server.importing.demo.wares import WareSection

__all__ = ["Company", "buying_company", "domestic_company", "overseas_company"]


@dataclass(frozen=True, slots=True)
class Company:
    """A company's two names."""

    zh: str
    en: str


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((zh, en) for zh, _, en in (word.partition("=") for word in text.split()))


_CITIES: Final = _pairs(
    "广州=Guangzhou 深圳=Shenzhen 东莞=Dongguan 佛山=Foshan 中山=Zhongshan 宁波=Ningbo 义乌=Yiwu 温州=Wenzhou 杭州=Hangzhou 苏州=Suzhou"
    " 上海=Shanghai 青岛=Qingdao 厦门=Xiamen 泉州=Quanzhou 福州=Fuzhou 南京=Nanjing 无锡=Wuxi 常州=Changzhou 台州=Taizhou 绍兴=Shaoxing"
    " 金华=Jinhua 嘉兴=Jiaxing 济南=Jinan 天津=Tianjin 武汉=Wuhan 长沙=Changsha 郑州=Zhengzhou 成都=Chengdu 重庆=Chongqing 潮州=Chaozhou"
)
_SYLLABLES: Final = _pairs(
    "天=tian 华=hua 恒=heng 瑞=rui 金=jin 盛=sheng 达=da 荣=rong 泰=tai 新=xin 宏=hong 凯=kai 顺=shun 嘉=jia 美=mei 德=de 信=xin 安=an"
    " 联=lian 创=chuang 鑫=xin 源=yuan 科=ke 星=xing 龙=long 飞=fei 永=yong 佳=jia 康=kang 乐=le 百=bai 祥=xiang 远=yuan 东=dong"
)
_MIDDLE: Final = _pairs(
    "实业=Industrial 科技=Technology 进出口=Import&Export 国际贸易=International_Trading 制造=Manufacturing ="
)
_BRANDS: Final = _words(
    "Northline Alto Vantor Brio Kestrel Lumina Corvo Zenta Orbis Talanta Sondra Havel Mirano Osker Delphi Varga Tamura Nordhavn"
    " Cascada Bellarte Quintero Savanna Indus Marwar Anatol Baltica Riviera Atlas Pampas Borneo"
)
_FORMS: Final = ("Ltd.", "GmbH", "S.A.", "S.r.l.", "Inc.", "B.V.", "Pty Ltd", "Co., Ltd.", "Sdn. Bhd.", "LLC")
_BUYING: Final = (
    "Trading",
    "Imports",
    "Retail Group",
    "Wholesale",
    "Distribution",
    "Supermarkets",
    "Home & More",
    "Sourcing",
)


def domestic_company(random: Random, section: WareSection) -> Company:
    """City, a name of two or three characters, trade, form: 宁波恒瑞照明实业有限公司."""
    city_zh, city_en = random.choice(_CITIES)
    syllables = random.sample(_SYLLABLES, random.choice((2, 2, 3)))
    middle_zh, middle_en = random.choice(_MIDDLE)
    brand_zh, brand_en = "".join(zh for zh, _ in syllables), "".join(en for _, en in syllables).capitalize()
    english = " ".join(word for word in (city_en, brand_en, section.trade_en, middle_en.replace("_", " ")) if word)
    return Company(f"{city_zh}{brand_zh}{section.trade_zh}{middle_zh}有限公司", f"{english} Co., Ltd.")


def overseas_company(random: Random, section: WareSection) -> Company:
    """A brand, its trade and a legal form; the same name stands for both languages."""
    name = f"{random.choice(_BRANDS)} {section.trade_en} {random.choice(_FORMS)}"
    return Company(name, name)


def buying_company(random: Random, family: str) -> str:
    """A company that buys."""
    return f"{random.choice((family, random.choice(_BRANDS)))} {random.choice(_BUYING)} {random.choice(_FORMS)}"
