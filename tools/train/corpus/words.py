"""Names, fillers and the template language that every other file here uses.

A template is plain text with `[a|b|c]` (choose one, may nest) and `{slot}`
(a value of this text's context, else a random entry of `LISTS`).
"""

import re

GIRLS = "Anna Lily Mia Emma Rosa Clara Nora Ella Sara Lucy Ruby Alice Maya Ivy Eva Zoe Amy Hana Lena Tara Molly Kate Grace Jane".split()
BOYS = "Tom Ben Sam Max Leo Jack Noah Oscar Finn Hugo Peter Paul Adam Theo Luke Omar Will Eric Dan Henry Felix Tim Joe Ali".split()
SHE_ANIMALS = "Daisy Hazel Penny Bella Willow Poppy Luna Dot Tilly Pearl Olive Clover".split()
HE_ANIMALS = "Pip Rusty Bruno Barney Otto Dusty Rocky Toby Milo Ziggy Monty Basil".split()

# kind of animal -> where it lives
ANIMALS = {
    "fox": "in a den under an old oak tree",
    "mouse": "in a hole behind the kitchen wall",
    "rabbit": "in a burrow under the hill",
    "bear": "in a cave near the river",
    "squirrel": "in a hollow tree",
    "owl": "in an old barn",
    "bird": "in a nest at the top of a tall tree",
    "duck": "beside a quiet pond",
    "frog": "in a green pond",
    "hedgehog": "under a pile of leaves",
    "cat": "in a warm house with a red door",
    "dog": "on a farm at the end of the road",
    "turtle": "near a clear lake",
    "goat": "on a green mountain",
    "pig": "on a farm near the village",
    "lamb": "in a wide green field",
    "siskin": "in a nest in a pine tree",
}

LISTS = {
    "adj": "kind brave clever cheerful quiet curious gentle shy happy friendly young small".split(),
    "child_home": [
        "in a small house near the river", "in a village by the sea", "at the edge of the forest",
        "in a tall house in the town", "on a farm in the valley", "in a little town in the mountains",
        "in a white house on a hill", "near a big park",
    ],
    "colour": "red blue green yellow white brown golden purple orange silver".split(),
    "morning": [
        "one morning", "one sunny morning", "one cold morning", "one day", "one fine day", "one windy day",
        "one afternoon", "one warm afternoon", "early one morning", "one spring day", "one autumn day",
    ],
    "smile": ["smiled", "laughed", "clapped with joy", "felt very happy", "smiled from ear to ear", "jumped for joy"],
    "food": ["bread", "soup", "an apple", "a warm pie", "a piece of cake", "cheese", "rice", "a bowl of berries", "pancakes", "honey"],
    "fruits": "apples pears plums peaches cherries oranges bananas lemons".split(),
    "drink": ["water", "milk", "warm milk", "tea", "apple juice", "hot chocolate"],
    "toy": ["ball", "kite", "doll", "toy boat", "toy train", "drum", "teddy bear", "wooden horse", "yo-yo", "puzzle"],
    "weather": ["sunny", "rainy", "windy", "cloudy", "warm", "cold", "foggy", "snowy"],
    "room": ["kitchen", "garden", "living room", "bedroom", "yard", "hall"],
    "grown": ["mother", "father", "grandmother", "grandfather", "aunt", "uncle"],
}


def pronouns(female, prefix=""):
    """Slots for one character: he, him, his, He, His (with `prefix`, say `fhe`)."""
    words = ("she", "her", "her", "herself") if female else ("he", "him", "his", "himself")
    slots = dict(zip(("he", "him", "his", "himself"), words))
    slots |= {"He": words[0].capitalize(), "His": words[2].capitalize()}
    return {prefix + key: value for key, value in slots.items()}


def expand(rng, template, context):
    """Resolve choices and slots until none is left, then repair articles and capitals."""
    text = template
    while True:
        text, choices = re.subn(r"\[([^\[\]]*)\]", lambda m: rng.choice(m[1].split("|")), text)
        text, slots = re.subn(r"\{(\w+)\}", lambda m: fill(rng, m[1], context), text)
        if not choices and not slots:
            return polish(text)


def fill(rng, slot, context):
    return context[slot] if slot in context else rng.choice(LISTS[slot])


def polish(text):
    """`a apple` -> `an apple`, `small little` -> `little`; a capital at the start of every sentence."""
    text = re.sub(r"\b([Aa]) (?=[aeiouAEIOU])(?!(?:one|use|uni))", r"\1n ", text)
    text = re.sub(r"\b(?:small|young) little\b", "little", text)
    text = re.sub(r" +", " ", text).strip()
    return re.sub(r"(^|[.!?] |\n)([a-z])", lambda m: m[1] + m[2].upper(), text)
