"""Names by language, and the countries and regions that buyers come from, with how many come."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

__all__ = ["COUNTRIES", "CROWD", "chinese_person", "person"]


@dataclass(frozen=True, slots=True)
class _Names:
    given: tuple[str, ...]
    family: tuple[str, ...]


def _names(given: str, family: str) -> _Names:
    return _Names(tuple(given.split()), tuple(family.split()))


_NAMES: Final = {
    "en": _names(
        "James Mary Robert Patricia John Jennifer Michael Linda David Susan Thomas Karen Daniel Nancy Andrew Emma Olivia Jack",
        "Smith Johnson Williams Brown Taylor Wilson Davies Evans Walker Wright Robinson Thompson White Hughes Edwards Green Hall",
    ),
    "es": _names(
        "José María Juan Carmen Luis Ana Carlos Lucía Miguel Sofía Jorge Valentina Pedro Camila Diego Elena Andrés Isabel",
        "García Rodríguez Martínez Hernández López González Pérez Sánchez Ramírez Torres Flores Rivera Gómez Díaz Castro Vargas",
    ),
    "pt": _names(
        "João Maria António Ana Paulo Beatriz Pedro Inês Rafael Larissa Tiago Fernanda Bruno Camila",
        "Silva Santos Oliveira Souza Pereira Costa Ferreira Almeida Carvalho Gomes Ribeiro Martins",
    ),
    "fr": _names(
        "Jean Marie Pierre Sophie Luc Camille Antoine Chloé Nicolas Juliette Mamadou Aïcha Hugo Élodie",
        "Martin Bernard Dubois Moreau Laurent Lefèvre Girard Roux Fournier Diallo Traoré Mercier",
    ),
    "de": _names(
        "Hans Anna Peter Sabine Thomas Petra Jürgen Claudia Stefan Julia Markus Katrin Lukas Heike",
        "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Hoffmann Schäfer Koch Bauer Richter",
    ),
    "it": _names(
        "Marco Giulia Luca Francesca Andrea Chiara Matteo Elisa Paolo Sara Davide Laura",
        "Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Conti",
    ),
    "ru": _names(
        "Alexander Elena Dmitry Olga Sergey Natalia Ivan Anna Mikhail Irina Andrey Svetlana Nikolai Tatiana",
        "Ivanov Petrov Sidorov Volkov Morozov Kozlov Novikov Sokolov Popov Orlov Kuznetsov Lebedev",
    ),
    "ar": _names(
        "Mohammed Fatima Ahmed Aisha Ali Layla Omar Noor Hassan Mariam Khalid Salma Youssef Huda",
        "Al-Farsi Haddad Khan Mansour Al-Harbi Nasser Saleh Ibrahim Aziz Rahman Hamdan Khalil",
    ),
    "in": _names(
        "Rajesh Priya Amit Anjali Sanjay Kavita Vikram Neha Arjun Pooja Suresh Deepa Rahul Meena",
        "Sharma Patel Gupta Singh Kumar Reddy Mehta Iyer Nair Das Chopra Joshi Perera",
    ),
    "se": _names(
        "Nguyen Siti Budi Dewi Somchai Ploy Minh Linh Ahmad Nurul Jose Maricel Thanh Rizal",
        "Tran Santoso Wijaya Suwan Pham Abdullah Reyes Dela-Cruz Le Hartono Chaiyasit Ismail",
    ),
    "af": _names(
        "Kwame Amina Chinedu Grace Tendai Zainab Samuel Wanjiku Joseph Thandi Emeka Abena Musa Blessing",
        "Okafor Mensah Mwangi Nkosi Banda Adeyemi Otieno Abebe Dlamini Kamau Sesay Moyo",
    ),
    "ja": _names(
        "Hiroshi Yuki Kenji Sakura Takashi Aiko Daiki Emi Naoki Haruka",
        "Sato Suzuki Tanaka Watanabe Ito Yamamoto Nakamura Kobayashi",
    ),
    "ko": _names("Min-jun Seo-yeon Ji-hoon Ha-eun Sung-min Yu-jin Dong-hyun Soo-ah", "Kim Lee Park Choi Jung Kang Yoon Lim"),
    "zh": _names("Wei Fang Min Jing Lei Na Qiang Li Chen Yan", "Chan Wong Lau Cheung Ho Lin Huang Tsai Leung Ng"),
}  # fmt: skip

# Who comes, by language of the names; a star after a code for each step of weight.
_CROWD: Final = {
    "en": "US**** GB*** AU*** CA** NZ* IE* JM BB TT BS GY BZ AG DM GD KN LC VC AI AS AX BM CK FJ FM GG GI GU IM JE KI KY MH MP MS"
    " MT NR NU PW SB SH TO TV VG VI VU WS PG SX",
    "es": "MX*** ES** CO** AR** CL** PE** EC** VE* GT* CR* PA* DO* BO* PY* UY* HN SV NI CU PR GQ",
    "pt": "BR*** PT* AO* MZ* CV GW ST TL",
    "fr": "FR** BE* LU MC CD* CI* SN* CM* TG BJ BF ML NE GA CG CF TD DJ KM MG HT GF GP MQ RE NC PF YT PM",
    "de": "DE*** AT* CH* NL** DK* SE* NO* FI* IS LI FO GL AW CW SR BQ",
    "it": "IT** GR* RO* CY* SM VA HR* SI* RS* BA ME MK AL XK",
    "ru": "RU**** UA* KZ** UZ** BY* KG* TJ TM AM AZ* GE* MD MN* BG* PL** CZ* SK HU* LT* LV EE",
    "ar": "SA*** AE*** EG** IQ** IR** JO* LB* KW* QA* OM* BH* YE* SY* PS* LY* DZ** MA** TN* SD* MR SO TR*** IL**",
    "in": "IN**** PK** BD** LK* NP* MV BT MU* SC AF*",
    "se": "VN*** ID*** TH*** MY*** PH*** SG** MM* KH* LA* BN",
    "af": "NG** ZA*** KE** GH** ET** TZ** UG* ZM* ZW* RW* BI BW NA* LS SZ MW SL LR GM GN ER SS",
    "ja": "JP***",
    "ko": "KR*** KP",
    "zh": "HK**** TW*** MO*",
}

COUNTRIES: Final = tuple(
    (word.rstrip("*"), 4 ** word.count("*"), language) for language, words in _CROWD.items() for word in words.split()
)
"""(code, how many come, language of the names)."""
CROWD: Final = tuple(weight for _, weight, _ in COUNTRIES)
_LANGUAGE_OF: Final = {code: language for code, _, language in COUNTRIES}

_CHINESE_FAMILY: Final = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹"
_CHINESE_GIVEN: Final = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉萍红建文辉力宇晨欣佳雪倩婷浩博"


def person(random: Random, country: str) -> str:
    """A full name as people of that country might have it."""
    names = _NAMES[_LANGUAGE_OF[country]]
    return f"{random.choice(names.given)} {random.choice(names.family)}"


def chinese_person(random: Random) -> str:
    """Family name and one or two characters."""
    given = "".join(random.choices(_CHINESE_GIVEN, k=random.choice((1, 2, 2))))
    return random.choice(_CHINESE_FAMILY) + given
