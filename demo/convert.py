#!/usr/bin/env python3
"""Makes the demo shop (products.jsonl, stock.jsonl) out of four public product files.

    python3 demo/convert.py FOLDER

FOLDER holds gifts.jsonl, books.jsonl, outdoor.jsonl and groceries.tsv as described in README.md.
The same input gives the same output, byte for byte: what has to be invented (book prices, weights,
sizes, stock) is drawn from a hash of the unit's own number, and is marked in the product's
attributes (`price_note`, `weight_note`, `size_note`).
"""

import csv
import hashlib
import json
import re
import sys
import unicodedata
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

# Fixed, so that the demo does not change with the markets.
EUR_PER = {"GBP": Decimal("1.17"), "USD": Decimal("0.92")}

BOOK_LANGUAGES = {
    "eng": "en", "en-US": "en", "en-GB": "en", "en-CA": "en", "en": "en", "ara": "ar", "fre": "fr",
    "ind": "id", "spa": "es", "ger": "de", "jpn": "ja", "per": "fa", "por": "pt", "pol": "pl",
    "nor": "no", "dan": "da", "fil": "fil", "ita": "it", "nl": "nl", "vie": "vi", "tur": "tr",
    "swe": "sv", "rum": "ro", "mul": "mul", "rus": "ru",
}

GIFT_WEIGHT_G = {
    "Jewellery & hair": 40, "Cards, wrap & ribbon": 60, "Stationery": 150, "Storage & furniture": 1500,
    "Clocks & mirrors": 900, "Frames & wall decor": 600, "Garden": 800, "Kitchen & dining": 450,
    "Hot water bottles & warmers": 500, "Toys & games": 350, "Textiles": 400, "Bags & purses": 250,
}
OUTDOOR_WEIGHT_G = {
    "Ski/boarding": 2800, "Bags": 1200, "Climbing": 500, "Footwear": 1100, "Navigation": 200,
    "Trekking": 600, "Jackets": 700, "Cycling": 900,
}
SIZES = {"Footwear": ["38", "40", "42", "44", "46"], "Jackets": ["S", "M", "L", "XL"]}

# Left out of the demo shop: what needs an age check or is not a good.
NOT_SOLD = {
    "CIGARETTES", "TOBACCO OTHER", "BEERS/ALES", "LIQUOR", "DOMESTIC WINE", "IMPORTED WINE",
    "COUPONS/STORE & MFG",
}
STANDARD_RATE = {
    "CAT LITTER", "PAPER HOUSEWARES", "PAPER TOWELS", "BATH TISSUES", "FACIAL TISS/DNR NAPKIN",
    "LAUNDRY DETERGENTS", "LAUNDRY ADDITIVES", "DISHWASH DETERGENTS", "BLEACH", "AIR CARE",
    "FD WRAPS/BAGS/TRSH BG", "HOUSEHOLD CLEANG NEEDS", "PLASTIC HOUSEWARES", "BATTERIES",
    "CHARCOAL AND LIGHTER FLUID", "SOAP - LIQUID & BAR", "ORAL HYGIENE PRODUCTS",
    "DIAPERS & DISPOSABLES", "FEMININE HYGIENE", "HAIR CARE PRODUCTS", "DISPOSIBLE FOILWARE",
    "AUTOMOTIVE PRODUCTS", "COFFEE FILTERS", "BABY HBC", "SPRING/SUMMER SEASONAL",
}
DEPARTMENTS = {
    "GROCERY": "Pantry", "MEAT-PCKGD": "Packaged meat", "PRODUCE": "Fruit and vegetables",
    "DRUG GM": "Household and sweets", "NUTRITION": "Nutrition", "MEAT": "Meat",
    "SEAFOOD-PCKGD": "Packaged seafood", "DELI": "Deli", "PASTRY": "Bakery", "FLORAL": "Flowers",
    "TRAVEL & LEISURE": "Fruit and vegetables", "SALAD BAR": "Salad bar",
}
WORDS = {
    "frzn": "frozen", "frz": "frozen", "refrigratd": "refrigerated", "refrgratd": "refrigerated",
    "refrig": "refrigerated", "refigerated": "refrigerated", "brkfst": "breakfast",
    "whlsm": "wholesome", "bkd": "baked", "fd": "food", "drnks": "drinks", "drnk": "drink",
    "dnrs": "dinners", "dnr": "dinner", "tiss": "tissues", "trsh": "trash", "bg": "bags",
    "mxs": "mixes", "mx": "mix", "pwdr": "powder", "crystl": "crystal", "btr": "butter",
    "pnt": "peanut", "wtr": "water", "flvrd": "flavoured", "flavored": "flavoured",
    "flvr": "flavour", "sald": "salad", "drsng": "dressing", "sndwch": "sandwich", "sprd": "spread",
    "jce": "juice", "conc": "concentrate", "veg": "vegetables", "bn": "beans", "cleang": "cleaning",
    "cnd": "canned", "crmd": "creamed", "btl": "bottle", "btls": "bottles", "can": "can",
    "carb": "carbonated", "noncarb": "still", "sgl": "single", "sngl": "single", "srv": "serve",
    "sv": "serve", "ss": "single-serve", "rts": "ready-to-serve", "pkg": "pack", "pkld": "pickled",
    "pickld": "pickled", "sft": "soft", "mlt-pk": "multi-pack", "mult": "multi", "pk": "pack",
    "brd": "breaded", "br": "bread", "prep": "prepared", "misc": "miscellaneous", "sw": "sweet",
    "gds": "goods", "fem": "feminine", "hygn": "hygiene", "chix": "chicken", "chick": "chicken",
    "iqf": "quick-frozen", "w": "with", "fs": "french style", "whl": "whole", "cranapple": "cran-apple",
    "cran": "cranberry", "oj": "orange juice", "subs": "substitutes", "non-crbntd": "still",
    "drnkng": "drinking", "drnking": "drinking", "mnrl": "mineral", "mneral": "mineral",
    "specilaty": "speciality", "chococlate": "chocolate", "cilanto": "coriander",
    "worchester": "worcester", "plstc": "plastic", "ltr": "lighter", "hbc": "care", "choc": "chocolate",
    "disposible": "disposable", "sweetners": "sweeteners", "sherbts": "sherbets", "mlk": "milk",
    "pwdrs": "powders", "tort": "tortilla", "grnd": "ground", "contrainr": "container",
    "containr": "containers", "potatoes:": "potatoes", "catfd": "cat food", "dogfd": "dog food",
    "sup": "super", "prem": "premium", "bbq": "BBQ", "iws": "wrapped", "decaffinated": "decaffeinated",
    "gngr": "ginger", "cond": "condensed", "dsh": "dish", "mixs": "mixes", "mw": "microwave", "ctlrytblclthstthpksst": "cutlery and tablecloths", "mustar": "mustard", "incl": "", "et": "", "mexican": "Mexican",
    "misc.": "miscellaneous", "peppers-all": "peppers", "others": "other", "vegetable": "vegetable",
}
UNITS_G = {"OZ": Decimal("28.35"), "LB": Decimal("453.6"), "L": Decimal(1000), "GA": Decimal(3785),
           "GAL": Decimal(3785), "QT": Decimal(946), "PT": Decimal(473)}


def drawn(text: str, low: int, high: int) -> int:
    """A number from low to high, always the same for the same text."""
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return low + number % (high - low + 1)


def slug(text: str) -> str:
    """The text as a handle: lower-case ASCII words joined by hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower().replace("'", "")).strip("-")


def euro(amount, currency: str) -> int:
    """An amount of another currency in euro cents, half-up, at least one cent."""
    cents = (Decimal(str(amount)) * EUR_PER[currency] * 100).quantize(Decimal(1), ROUND_HALF_UP)
    return max(1, int(cents))


def clean(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


class Shop:
    """Collects lines, gives out handles once, and names categories."""

    def __init__(self):
        self.categories, self.products, self.stock, self.handles = {}, [], [], set()

    def category(self, *names: str) -> str:
        path = ""
        for name in names:
            path = f"{path}/{slug(name)}" if path else slug(name)
            self.categories.setdefault(path, name)
        return path

    def product(self, name, category, variants, attributes, number, description=""):
        handle = slug(name)[:80].strip("-")
        if not handle or handle in self.handles:
            handle = f"{handle}-{slug(number)}".strip("-")
        assert handle not in self.handles, handle
        self.handles.add(handle)
        line = {"handle": handle, "name": name}
        if description:
            line["description"] = description
        line["categories"] = [category]
        line["attributes"] = {k: v for k, v in attributes.items() if v not in (None, [], "")}
        line["variants"] = variants
        self.products.append(line)
        for variant in variants:
            self.stock.append({"sku": variant["sku"], "quantity": stock_of(variant["sku"])})


def stock_of(sku: str) -> int:
    """Mostly plenty; one unit in a hundred is sold out, three are nearly so."""
    luck = drawn("luck" + sku, 0, 99)
    if luck == 0:
        return 0
    return drawn("stock" + sku, 1, 5) if luck <= 3 else drawn("stock" + sku, 20, 500)


def variant(sku, tax_class, weight_g, cents, was=None, options=None):
    price = {"price": {"amount_minor": cents, "currency": "EUR"}}
    if was is not None:
        price["was_minor"] = was
    made = {"sku": sku}
    if options:
        made["options"] = options
    return made | {"tax_class": tax_class, "weight_g": weight_g, "prices": [price]}


def gifts(shop: Shop, folder: Path):
    for row in map(json.loads, (folder / "gifts.jsonl").read_text().splitlines()):
        sku, base = row["sku"], GIFT_WEIGHT_G.get(row["category"], 250)
        weight = base * drawn("weight" + sku, 6, 14) // 10
        attributes = dict(row["attributes"]) | {
            "orders_to_2011_09": row["orders_to_2011_09"],
            "price_note": "converted", "weight_note": "invented",
        }
        shop.product(clean(row["name"]), shop.category("Gifts", row["category"]),
                     [variant(sku, "standard", weight, euro(row["price_gbp"], "GBP"))], attributes, sku)


def decade(year) -> str:
    if year is None:
        return "Undated"
    if year < 1900:
        return "Before 1900"
    return "1900 to 1949" if year < 1950 else f"{year // 10 * 10}s"


def books(shop: Shop, folder: Path):
    for row in map(json.loads, (folder / "books.jsonl").read_text().splitlines()):
        number = str(row["book_id"])
        sku, title = f"BOOK-{number}", clean(row["title"])
        original = clean(row["original_title"] or "")
        attributes = {
            "authors": [clean(a) for a in row["authors"]][:20], "year": row["year"],
            "language": BOOK_LANGUAGES.get(row["language"]), "isbn": row["isbn"],
            "original_title": original if original and original not in title else None,
            "average_rating": format(Decimal(str(row["average_rating"])), ".2f"),
            "ratings_count": row["ratings_count"],
            "price_note": "invented", "weight_note": "invented",
        }
        cents = drawn("price" + sku, 6, 27) * 100 + 99
        weight = drawn("weight" + sku, 18, 75) * 10
        shop.product(title, shop.category("Books", decade(row["year"])),
                     [variant(sku, "books", weight, cents)], attributes, number)


def outdoor(shop: Shop, folder: Path):
    for row in map(json.loads, (folder / "outdoor.jsonl").read_text().splitlines()):
        number, kind = str(row["id"]), row["type"]
        cents, sku = euro(row["price_usd"], "USD"), f"OUT-{number}"
        weight = OUTDOOR_WEIGHT_G[kind] * drawn("weight" + sku, 6, 14) // 10
        attributes = {"brand": row["brand"], "price_note": "converted", "weight_note": "invented"}
        variants = [variant(sku, "standard", weight, cents)]
        if kind in SIZES:
            attributes["size_note"] = "invented"
            variants = [variant(f"{sku}-{size}", "standard", weight, cents, options={"size": size})
                        for size in SIZES[kind]]
        shop.product(clean(row["name"]), shop.category("Outdoor", kind), variants, attributes, sku,
                     clean(row["description"]))


def readable(shouted: str) -> str:
    """FRZN SS PREMIUM ENTREES/DNRS/N -> Frozen single-serve premium entrees, dinners"""
    text = re.sub(r"\([^)]*\)?", " ", shouted.lower())
    text = text.replace("non-carb ", "still ").replace(" w/", " with ").replace("&", " and ").replace("/", ", ")
    words = [WORDS.get(word, word) for word in re.findall(r"[^\s,:]+|[,:]", text)]
    text = clean(" ".join(words)).replace(" ,", ",").replace(" :", ":").replace("- ", ", ")
    text = re.sub(r"\s+,", ",", text)
    text = re.sub(r"(,? [a-z])?[ ,:.-]*$", "", re.sub(r" - ", ", ", text))
    text = re.sub(r"\s*:\s*", ": ", text)
    return text[:1].upper() + text[1:]


def package(size: str):
    """(text, grams or None) of a package size such as `10/6.75 OZ`, `1/2 GAL`, `12 CT`."""
    text = clean(size)
    one = re.fullmatch(r"(?:(\d+)(/| PK/))?(\d*\.?\d+) (OZ|LB|L|GAL|GA|QT|PT)", text)
    grams = None
    if one:
        count, bar, amount, unit = one.groups()
        each = Decimal(amount) * UNITS_G[unit]
        if count and bar == "/" and unit == "GAL":
            each = UNITS_G[unit] / Decimal(amount) if count == "1" and not amount.startswith(".") else each
            each = UNITS_G["GAL"] * int(count) / Decimal(amount)
            count = None
        grams = int((each * int(count or 1) * Decimal("1.05")).quantize(Decimal(1), ROUND_HALF_UP))
        grams = grams if 5 <= grams <= 25_000 else None
    names = {"OZ": "oz", "LB": "lb", "GA": "gal", "GAL": "gal", "CT": "ct", "PK": "pack", "DZ": "dozen",
             "PT": "pint", "QT": "qt", "LOAD": "loads", "PC": "pc", "FT": "ft", "CTN": "carton"}
    text = f"1 {text}" if text in ("GAL", "PT", "CTN") else text
    shown = " ".join(names.get(word, word) for word in re.findall(r"[A-Z]+|[^\sA-Z]+", text)
                     if word != "CAN")
    return shown.replace(" /", "/").replace("/ ", "/"), grams


def groceries(shop: Shop, folder: Path):
    with (folder / "groceries.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row in rows:
        if row["category"] in NOT_SOLD or row["department"] not in DEPARTMENTS:
            continue
        number = row["product_id"]
        sku = f"GRO-{number}"
        kind, group = readable(row["product_type"]), readable(row["category"])
        size, grams = package(row["package_size"])
        # "Premium" or "Corn" says little without its category.
        name = kind if len(kind.split()) > 1 or kind.lower() in group.lower() else f"{group}: {kind.lower()}"
        own = row["brand_kind"] == "Private"
        name = ", ".join(filter(None, [name, size, "own brand" if own else f"brand {row['manufacturer_id']}"]))
        paid, shelf = (euro(row[k], "USD") for k in ("avg_paid_unit_price_usd", "avg_shelf_unit_price_usd"))
        reduced = paid * 100 < shelf * 85
        attributes = {
            "own_brand": own, "package_size": size, "baskets_2017": int(row["baskets_2017"]),
            "price_note": "converted", "weight_note": "from package size" if grams else "invented",
        }
        weight = grams or drawn("weight" + sku, 10, 90) * 10
        tax_class = "standard" if row["category"] in STANDARD_RATE else "reduced"
        shop.product(name, shop.category("Groceries", DEPARTMENTS[row["department"]], group),
                     [variant(sku, tax_class, weight, paid if reduced else shelf, shelf if reduced else None)],
                     attributes, number)


def write(path: Path, lines):
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


def main():
    folder, here, shop = Path(sys.argv[1]), Path(__file__).parent, Shop()
    for load in (gifts, outdoor, groceries, books):
        load(shop, folder)
    categories = [{"category": path, "name": name} for path, name in sorted(shop.categories.items())]
    write(here / "products.jsonl", categories + shop.products)
    write(here / "stock.jsonl", shop.stock)


main()
