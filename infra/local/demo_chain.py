"""The demo chain: what stands in its books before the first guest comes."""

from dataclasses import dataclass

CHAIN_NAME = "Noodle House 回头面馆"
CURRENCY = "CNY"
TIME_ZONE = "Asia/Shanghai"

STORES = {
    "JINGAN": "静安寺店 Jing'an Temple",
    "XUHUI": "徐汇滨江店 Xuhui Riverside",
    "ZHANGJIANG": "张江店 Zhangjiang",
    "HONGQIAO": "虹桥火车站店 Hongqiao Station",
}


@dataclass(frozen=True, slots=True)
class Dish:
    """An item of the menu; `liked` is how often it is ordered beside the others of its category."""

    code: str
    name: str
    category: str
    price_minor: int
    liked: int


MENU = (
    Dish("N01", "兰州牛肉面 Lanzhou beef noodles", "noodles", 2600, 9),
    Dish("N02", "红烧牛肉面 Braised beef noodles", "noodles", 3200, 8),
    Dish("N03", "担担面 Dandan noodles", "noodles", 2400, 7),
    Dish("N04", "葱油拌面 Scallion oil noodles", "noodles", 1800, 6),
    Dish("N05", "重庆小面 Chongqing noodles", "noodles", 2200, 6),
    Dish("N06", "番茄鸡蛋面 Tomato and egg noodles", "noodles", 2000, 4),
    Dish("N07", "酸菜肉丝面 Pickled cabbage and pork noodles", "noodles", 2800, 4),
    Dish("N08", "雪菜黄鱼面 Yellow croaker noodles", "noodles", 4800, 2),
    Dish("N09", "三鲜素面 Vegetable noodles", "noodles", 2200, 3),
    Dish("S01", "卤蛋 Marinated egg", "sides", 400, 9),
    Dish("S02", "凉拌黄瓜 Smashed cucumber", "sides", 1200, 6),
    Dish("S03", "五香牛肉 Five-spice beef", "sides", 2800, 4),
    Dish("S04", "生煎包 Pan-fried buns, 4", "sides", 1600, 6),
    Dish("S05", "小笼包 Soup dumplings, 6", "sides", 1800, 5),
    Dish("S06", "油炸豆腐 Fried tofu", "sides", 1000, 3),
    Dish("D01", "酸梅汤 Sour plum drink", "drinks", 800, 6),
    Dish("D02", "豆浆 Soy milk", "drinks", 600, 5),
    Dish("D03", "青岛啤酒 Tsingtao beer", "drinks", 1200, 3),
    Dish("D04", "柠檬茶 Lemon tea", "drinks", 1400, 4),
    Dish("T01", "红豆沙 Red bean soup", "desserts", 1200, 3),
    Dish("T02", "桂花糕 Osmanthus cake", "desserts", 1000, 2),
)

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡林郭何高罗郑梁谢宋唐许邓冯韩曹"
GIVEN_NAMES = (
    *("伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "洋", "艳", "勇", "杰", "娟", "涛", "明", "超", "秀英", "晓雯"),
    *("雨桐", "子涵", "梓萱", "浩然", "欣怡", "俊杰", "思远", "佳宁", "文博", "雪晴", "家豪", "若兰", "志强", "慧敏"),
)

PRAISE = ("汤很鲜。还会再来。", "牛肉给得多。", "上菜快。", "服务很热情。", "和小时候的味道一样。", "")
COMPLAINTS = ("面坨了。等了四十分钟。", "太咸了。", "桌子没擦干净。", "少了一份小菜。", "空调太冷。")
