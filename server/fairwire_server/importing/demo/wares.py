"""Sections of a general fair, and what is shown in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["SECTIONS", "Ware", "WareSection"]


@dataclass(frozen=True, slots=True)
class Ware:
    """A kind of product in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class WareSection:
    """A section of the fair and its wares."""

    id: str
    zh: str
    en: str
    trade_zh: str
    """As it stands in a company's name."""
    trade_en: str
    wares: tuple[Ware, ...]


# id | Chinese | English | trade in a Chinese company name | in an English one, and below it the wares.
_TABLE: Final = """
consumer-electronics|电子消费品及信息产品|Consumer Electronics|电子科技|Electronics
  蓝牙耳机=Bluetooth earphones,智能手表=Smart watches,移动电源=Power banks,平板电脑=Tablet computers,行车记录仪=Dash cameras
appliances|家用电器|Household Appliances|电器|Appliances
  电饭煲=Rice cookers,空气炸锅=Air fryers,扫地机器人=Robot vacuum cleaners,除湿机=Dehumidifiers,咖啡机=Coffee machines
lighting|照明产品|Lighting Equipment|照明|Lighting
  LED灯泡=LED bulbs,太阳能路灯=Solar street lights,吊灯=Pendant lamps,投光灯=Flood lights,灯带=LED strips
new-energy|新能源|New Energy Resources|新能源|Energy
  光伏组件=Solar panels,储能电池=Energy storage batteries,逆变器=Inverters,充电桩=EV chargers
general-machinery|通用机械|General Machinery|机械|Machinery
  水泵=Water pumps,阀门=Valves,空气压缩机=Air compressors,轴承=Bearings,减速机=Gear reducers
processing-machinery|加工机械设备|Processing Machinery|机械设备|Machinery
  包装机=Packaging machines,注塑机=Injection moulding machines,激光切割机=Laser cutters,印刷机=Printing presses
construction-machinery|工程机械|Construction Machinery|重工|Heavy Industry
  挖掘机=Excavators,叉车=Forklifts,混凝土搅拌机=Concrete mixers,高空作业平台=Aerial platforms
agricultural-machinery|农业机械|Agricultural Machinery|农机|Agri Machinery
  微耕机=Power tillers,喷雾器=Sprayers,收割机=Harvesters,滴灌设备=Drip irrigation
electrical|电子电气产品|Electronic and Electrical Products|电气|Electric
  开关插座=Switches and sockets,电线电缆=Wires and cables,断路器=Circuit breakers,变压器=Transformers
vehicles|车辆|Vehicles|车辆|Vehicles
  电动三轮车=Electric tricycles,观光车=Sightseeing cars,客车=Coaches,拖车=Trailers
auto-parts|汽车配件|Vehicle Spare Parts|汽车配件|Auto Parts
  刹车片=Brake pads,减震器=Shock absorbers,滤清器=Filters,车灯=Car lamps,轮胎=Tyres
motorcycles|摩托车|Motorcycles|摩托车|Motorcycles
  踏板摩托=Scooters,摩托车头盔=Motorcycle helmets,越野摩托=Dirt bikes
bicycles|自行车|Bicycles|车业|Cycles
  山地车=Mountain bikes,电动自行车=E-bikes,童车=Children's bikes,自行车配件=Bicycle parts
hardware|五金|Hardware|五金制品|Hardware
  门锁=Door locks,合页=Hinges,紧固件=Fasteners,钢丝绳=Wire ropes,金属支架=Metal brackets
tools|工具|Tools|工具|Tools
  电钻=Electric drills,扳手=Wrenches,角磨机=Angle grinders,工具箱=Tool boxes,卷尺=Tape measures
building-materials|建筑及装饰材料|Building and Decorative Materials|建材|Building Materials
  石膏板=Plasterboard,木地板=Wood flooring,铝型材=Aluminium profiles,塑料管=Plastic pipes
sanitary|卫浴设备|Sanitary and Bathroom Equipment|卫浴|Sanitary Ware
  水龙头=Faucets,花洒=Shower heads,浴室柜=Bathroom cabinets,马桶=Toilets
furniture|家具|Furniture|家具|Furniture
  办公椅=Office chairs,沙发=Sofas,餐桌=Dining tables,床垫=Mattresses,户外家具=Outdoor furniture
ceramics|日用陶瓷|General Ceramics|陶瓷|Ceramics
  骨瓷餐具=Bone china tableware,马克杯=Mugs,花瓶=Vases,茶具=Tea sets
kitchenware|餐厨用具|Kitchenware and Tableware|厨具|Kitchenware
  不锈钢锅=Stainless steel pots,刀具=Knives,硅胶模具=Silicone moulds,砧板=Cutting boards
household|家居用品|Household Items|家居用品|Housewares
  收纳盒=Storage boxes,拖把=Mops,衣架=Hangers,保温杯=Vacuum flasks
glass|玻璃工艺品|Glass Artware|玻璃制品|Glass
  玻璃花瓶=Glass vases,烛台=Candle holders,玻璃杯=Drinking glasses
gardening|园林用品|Gardening Products|园艺|Garden
  花盆=Flower pots,割草机=Lawn mowers,遮阳伞=Parasols,园林剪=Pruning shears
festival|节日用品|Festival Products|节庆用品|Festive
  圣诞树=Christmas trees,派对装饰=Party decorations,蜡烛=Candles
gifts|礼品及赠品|Gifts and Premiums|礼品|Gifts
  钥匙扣=Key rings,雨伞=Umbrellas,相框=Photo frames,定制徽章=Custom badges
toys|玩具|Toys|玩具|Toys
  积木=Building blocks,毛绒玩具=Plush toys,遥控车=Remote control cars,拼图=Puzzles
baby|孕婴童用品|Children, Baby and Maternity Products|婴童用品|Baby Products
  婴儿车=Strollers,奶瓶=Feeding bottles,安全座椅=Child car seats
pets|宠物用品|Pet Products|宠物用品|Pet Supplies
  猫抓板=Cat scratchers,牵引绳=Dog leashes,宠物窝=Pet beds,宠物饮水机=Pet fountains
menswear|男女装|Men and Women's Clothing|服饰|Garments
  衬衫=Shirts,连衣裙=Dresses,牛仔裤=Jeans,羽绒服=Down jackets
sportswear|运动服及休闲服|Sports and Casual Wear|运动服饰|Sportswear
  瑜伽服=Yoga wear,冲锋衣=Shell jackets,T恤=T-shirts,泳装=Swimwear
home-textiles|家用纺织品|Home Textiles|纺织|Textiles
  床上用品=Bedding,毛巾=Towels,窗帘=Curtains,抱枕=Cushions
fabrics|纺织原料面料|Textile Raw Materials and Fabrics|面料|Fabrics
  涤纶面料=Polyester fabric,棉纱=Cotton yarn,针织布=Knitted fabric,蕾丝=Lace
shoes|鞋|Shoes|鞋业|Footwear
  运动鞋=Sneakers,凉鞋=Sandals,安全鞋=Safety shoes,皮鞋=Leather shoes
bags|箱包|Cases and Bags|箱包|Luggage
  拉杆箱=Trolley cases,双肩包=Backpacks,手提包=Handbags,钱包=Wallets
office|办公文具|Office Supplies|文具|Stationery
  签字笔=Gel pens,文件夹=File folders,白板=Whiteboards,便签纸=Sticky notes
food|食品|Food|食品|Foods
  绿茶=Green tea,干果=Dried fruit,罐头=Canned food,酱油=Soy sauce,饼干=Biscuits
health|医药保健品及医疗器械|Medicines, Health Products and Medical Devices|医疗器械|Medical
  血压计=Blood pressure monitors,轮椅=Wheelchairs,口罩=Face masks,电子体温计=Digital thermometers
sports|体育及旅游休闲用品|Sports, Travel and Recreation Products|体育用品|Sports
  帐篷=Tents,哑铃=Dumbbells,鱼竿=Fishing rods,跑步机=Treadmills
care|个人护理用具|Personal Care Products|日化|Personal Care
  电动牙刷=Electric toothbrushes,吹风机=Hair dryers,化妆刷=Make-up brushes
smart-life|智慧生活|Smart Life|智能科技|Smart Technology
  智能门锁=Smart locks,服务机器人=Service robots,智能音箱=Smart speakers,家用摄像头=Home cameras
"""


def _sections(table: str) -> tuple[WareSection, ...]:
    lines = table.strip().splitlines()
    return tuple(_section(head, wares) for head, wares in zip(lines[0::2], lines[1::2], strict=True))


def _section(head: str, wares: str) -> WareSection:
    section, zh, en, trade_zh, trade_en = head.split("|")
    pairs = (pair.partition("=") for pair in wares.strip().split(","))
    return WareSection(section, zh, en, trade_zh, trade_en, tuple(Ware(zh, en) for zh, _, en in pairs))


SECTIONS: Final = _sections(_TABLE)
