"""Made-up resumes: people with Chinese and with English names, whose phones and addresses go with them."""

from collections.abc import Callable, Iterator
from random import Random

from resumes.models import Education, Resume, Sex

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈"
GIVEN = {
    Sex.FEMALE: "芳娜敏静丽艳娟霞秀玲桂英慧巧美婷雪琳晶妍茜倩蕾薇梦岚婉娴瑾颖露瑶怡婵雁蓓",
    Sex.MALE: "伟强磊洋勇军杰涛超明刚平辉鹏华飞鑫波斌宇浩凯健俊帆帅旭宁龙林欢建国志文武",
}
STREETS = (
    "北京市海淀区中关村大街",
    "北京市朝阳区建国路",
    "上海市浦东新区世纪大道",
    "上海市徐汇区漕溪北路",
    "广州市天河区体育西路",
    "深圳市南山区科技园南路",
    "杭州市西湖区文三路",
    "成都市武侯区人民南路",
    "武汉市洪山区珞喻路",
    "西安市雁塔区长安南路",
    "南京市鼓楼区中山北路",
    "重庆市渝中区解放碑步行街",
)

FIRST_NAMES = {
    Sex.FEMALE: ("Emma", "Olivia", "Charlotte", "Amelia", "Grace", "Hannah", "Alice", "Laura", "Sarah", "Ruth"),
    Sex.MALE: ("James", "Oliver", "William", "Henry", "Thomas", "Daniel", "Samuel", "Peter", "Robert", "Jack"),
}
LAST_NAMES = (
    "Smith", "Johnson", "Brown", "Taylor", "Wilson", "Davies", "Evans", "Walker", "Wright", "Robinson", "Thompson",
    "White", "Hughes", "Edwards", "Green", "Hall", "Wood", "Harris", "Clarke", "O'Connor",
)  # fmt: skip
ROADS = (
    "Maple Street",
    "Oak Avenue",
    "Church Road",
    "Park Lane",
    "Mill Road",
    "Cedar Drive",
    "Elm Street",
    "Lake View",
)
TOWNS = (
    ("Boston, MA", "617"),
    ("New York, NY", "212"),
    ("Chicago, IL", "312"),
    ("Seattle, WA", "206"),
    ("Austin, TX", "512"),
    ("Denver, CO", "303"),
    ("San Francisco, CA", "415"),
    ("Portland, OR", "503"),
)

EDUCATIONS = tuple(Education)
SEXES = tuple(Sex)


def sample_resumes(count: int, random: Random) -> Iterator[Resume]:
    """Yield unsaved resumes, none of them archived; the same `random` yields the same ones."""
    for _ in range(count):
        person = random.choice(PEOPLE)
        yield person(random, random.choice(SEXES), random.choice(EDUCATIONS))


def chinese_person(random: Random, sex: Sex, education: Education) -> Resume:
    """Return a person who lives in China."""
    given = "".join(random.choices(GIVEN[sex], k=random.choice((1, 2, 2))))
    street = random.choice(STREETS)
    return Resume(
        name=random.choice(SURNAMES) + given,
        sex=sex.value,
        phone=f"1{random.choice('35789')}{random.randrange(10**9):09}",
        address=f"{street}{random.randint(1, 399)}号{random.randint(1, 28)}层{random.randint(1, 12):02}室",
        education=education.value,
    )


def english_person(random: Random, sex: Sex, education: Education) -> Resume:
    """Return a person who lives in the United States, where 555-01xx is kept free for made-up numbers."""
    town, area_code = random.choice(TOWNS)
    return Resume(
        name=f"{random.choice(FIRST_NAMES[sex])} {random.choice(LAST_NAMES)}",
        sex=sex.value,
        phone=f"+1 {area_code} 555 01{random.randrange(100):02}",
        address=f"{random.randint(1, 1999)} {random.choice(ROADS)}, {town}",
        education=education.value,
    )


PEOPLE: tuple[Callable[[Random, Sex, Education], Resume], ...] = (chinese_person, english_person)
