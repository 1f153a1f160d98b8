"""A few true facts, as question, short answer and statement; and lists."""

from .words import expand

SOUNDS = {"cow": "moo", "dog": "woof", "cat": "meow", "duck": "quack", "sheep": "baa", "pig": "oink", "hen": "cluck", "owl": "hoot", "mouse": "squeak", "lion": "roar", "bee": "buzz", "frog": "croak", "siskin": "tweet"}
COLOURS = {"the sky": "blue", "grass": "green", "snow": "white", "the sun": "yellow", "a banana": "yellow", "coal": "black", "a lemon": "yellow", "blood": "red", "milk": "white", "a leaf in summer": "green"}
OPPOSITES = [("big", "small"), ("hot", "cold"), ("up", "down"), ("day", "night"), ("fast", "slow"), ("happy", "sad"), ("old", "young"), ("open", "closed"), ("wet", "dry"), ("light", "dark"), ("full", "empty"), ("left", "right"), ("loud", "quiet"), ("hard", "soft"), ("good", "bad")]
HOMES = {"bird": "nest", "bee": "hive", "rabbit": "burrow", "fox": "den", "bear": "cave", "horse": "stable", "spider": "web", "siskin": "nest"}
YOUNG = {"dog": "puppy", "cat": "kitten", "cow": "calf", "sheep": "lamb", "hen": "chick", "horse": "foal", "duck": "duckling", "bear": "cub", "goat": "kid"}
LEGS = {"dog": "four", "cat": "four", "bird": "two", "spider": "eight", "ant": "six", "bee": "six", "horse": "four", "hen": "two", "snake": "no", "fish": "no"}
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
NUMBERS = "one two three four five six seven eight nine ten".split()
SEASONS = ["spring", "summer", "autumn", "winter"]
GROUPS = {
    "fruits": ["apple", "pear", "plum", "cherry", "banana", "orange", "lemon"],
    "animals": ["cat", "dog", "horse", "cow", "fox", "bear", "rabbit"],
    "birds": ["siskin", "owl", "duck", "robin", "sparrow", "eagle"],
    "colours": ["red", "blue", "green", "yellow", "white", "black"],
    "trees": ["oak", "pine", "birch", "apple tree", "willow"],
    "vegetables": ["carrot", "potato", "pea", "bean", "onion"],
}
OTHER = [
    ("How many days are in a week?", "There are seven days in a week."), ("How many months are in a year?", "There are twelve months in a year."),
    ("How many seasons are there?", "There are four seasons: spring, summer, autumn and winter."), ("What falls from the clouds?", "Rain falls from the clouds."),
    ("What do bees make?", "Bees make honey."), ("What do hens lay?", "Hens lay eggs."), ("What do cows give us?", "Cows give us milk."),
    ("What is ice?", "Ice is frozen water."), ("When do we sleep?", "We sleep at night."), ("When does the sun shine?", "The sun shines in the day."),
    ("What shines at night?", "The moon and the stars shine at night."), ("What do fish do?", "Fish swim in the water."), ("What do birds do?", "Birds fly and sing."),
    ("What is a siskin?", "A siskin is a small yellow and green bird."), ("What do we do with our eyes?", "We see with our eyes."), ("What do we do with our ears?", "We hear with our ears."),
    ("What does a siskin eat?", "A siskin eats seeds."), ("What does a rabbit eat?", "A rabbit eats grass and carrots."), ("What is the first day of the week?", "Monday is the first day of the week."),
    ("Is fire hot or cold?", "Fire is hot."), ("Is ice hot or cold?", "Ice is cold."), ("Can a fish fly?", "No, a fish cannot fly. A fish swims."), ("Can a bird fly?", "Yes, a bird can fly."),
    ("Can a cat swim?", "Yes, but a cat does not like water."), ("What comes before two?", "One comes before two."),
]


def join(words):
    return ", ".join(words[:-1]) + " and " + words[-1]


def fact(rng):
    """(question, answer): the answer is a whole, true sentence."""
    kind = rng.randrange(12)
    if kind == 0:
        animal, sound = rng.choice(list(SOUNDS.items()))
        pair = rng.choice([f"What does a {animal} say?", f"What sound does a {animal} make?"]), f"A {animal} says {sound}."
    elif kind == 1:
        thing, colour = rng.choice(list(COLOURS.items()))
        pair = rng.choice([f"What colour is {thing}?", f"Which colour is {thing}?"]), f"{thing} is {colour}."
    elif kind == 2:
        a, b = rng.choice(OPPOSITES)
        a, b = rng.choice([(a, b), (b, a)])
        pair = f"What is the opposite of {a}?", f"The opposite of {a} is {b}."
    elif kind == 3:
        animal, home = rng.choice(list(HOMES.items()))
        pair = f"Where does a {animal} live?", f"A {animal} lives in a {home}."
    elif kind == 4:
        animal, young = rng.choice(list(YOUNG.items()))
        pair = rng.choice([f"What is a young {animal} called?", f"What do we call a baby {animal}?"]), f"A young {animal} is called a {young}."
    elif kind == 5:
        animal, legs = rng.choice(list(LEGS.items()))
        pair = f"How many legs does a {animal} have?", f"A {animal} has {legs} legs."
    elif kind == 6:
        i = rng.randrange(7)
        pair = f"[What|Which] day comes after {DAYS[i]}?", f"{DAYS[(i + 1) % 7]} comes after {DAYS[i]}."
    elif kind == 7:
        i = rng.randrange(9)
        pair = f"[What|Which] number comes after {NUMBERS[i]}?", f"{NUMBERS[i + 1]} comes after {NUMBERS[i]}."
    elif kind == 8:
        a, b = rng.randint(1, 4), rng.randint(1, 4)
        pair = f"What is {NUMBERS[a - 1]} plus {NUMBERS[b - 1]}?", f"{NUMBERS[a - 1]} plus {NUMBERS[b - 1]} is {NUMBERS[a + b - 1]}."
    elif kind == 9:
        i = rng.randrange(4)
        pair = f"[What|Which] season comes after {SEASONS[i]}?", f"{SEASONS[(i + 1) % 4]} comes after {SEASONS[i]}."
    elif kind == 10:
        return listing(rng)
    else:
        pair = rng.choice(OTHER)
    return tuple(expand(rng, text, {}) for text in pair)


def listing(rng):
    """(request, list) for a group, the days, the months or the numbers."""
    group = rng.choice(list(GROUPS))
    count = rng.randint(2, 4)
    return rng.choice([
        (f"Name {NUMBERS[count - 1]} {group}.", f"Here are {NUMBERS[count - 1]} {group}: {join(rng.sample(GROUPS[group], count))}."),
        ("What are the days of the week?", f"The days of the week are {join(DAYS)}."),
        ("What are the months of the year?", f"The months of the year are {join(MONTHS)}."),
        ("Count to ten.", ", ".join(NUMBERS).capitalize() + "."),
        ("Count to five.", ", ".join(NUMBERS[:5]).capitalize() + "."),
    ])


def facts(rng):
    """Some statements in a row, or questions with their answers."""
    pairs = [fact(rng) for _ in range(rng.randint(1, 4))]
    if rng.random() < 0.7:
        return " ".join(answer for _, answer in pairs)
    return "\n".join(f"Question: {q}\nAnswer: {a}" for q, a in pairs)
