"""Everyday sentences: small scenes, weather, cause and effect, and the cat's mat."""

from .stories import cast
from .words import expand

# The lesson of the book (docs/src/decoding.md): one likely word, several possible ones. Counts out of 100.
SEATS = {"mat": 46, "bed": 12, "floor": 9, "rug": 9, "chair": 8, "sofa": 5, "roof": 4, "wall": 4, "step": 3}

CAT_AFTER = [
    "[It|She] was [warm|happy|sleepy] and [soon|quietly] fell asleep.", "It was tired after a long day.",
    "It looked at the [bird|fish|mouse|dog] and did not move.", "Then it washed its [face|paws|ears].",
    "It waited for its [dinner|milk|food].", "The sun was warm, and the cat closed its eyes.", "",
    "The dog sat [next to it|near the door|by the fire].", "It was [a very quiet day|raining outside].",
]

SCENES = [
    "[In the morning|After breakfast|Today], {N} [went to the {room}|sat in the {room}] and [drank {drink}|ate {food}]. {He} was [hungry|thirsty|happy|still tired].",
    "It was {weather} [today|this morning|yesterday]. {N} [stayed at home and read a book|put on {his} {colour} coat|looked out of the window].",
    "{N} has a {colour} {toy}. {He} plays with it every day. [{His} friend {Fn} has one too.|{He} got it from {his} {grown}.]",
    "{N} and {Fn} are good friends. They like {hobby}. [Every Sunday, they meet in the park.|They walk to school together.]",
    "{N}'s favourite colour is {colour}. {He} has a {colour} hat and a {colour} [bag|coat|scarf].",
    "{N} was [hungry|very hungry], so {he} [ate {food}|asked for {food}].",
    "{N} was thirsty, so {he} drank {drink}.",
    "{N} was tired, so {he} [went to bed|lay down|closed {his} eyes]. [Soon {he} was asleep.|]",
    "It was cold outside, so {N} put on {his} [coat|scarf|gloves|hat].",
    "It was raining, so {N} took {his} umbrella.", "It was dark, so {N} turned on the light.",
    "The floor was wet, so {N} walked slowly.", "The window was open, so the room was cold.",
    "The {toy} was broken, so {N} [fixed it|was sad|asked {his} {grown} for help].",
    "Because it rained all night, the [garden|road|field] was wet.",
    "Because {N} was ill, {he} stayed in bed. {His} {grown} brought {him} {drink}.",
    "If it rains, we will stay at home. If the sun shines, we will go to the [park|river|sea].",
    "When the sun goes down, it gets dark. When the sun comes up, it gets light.",
    "If you drop a glass, it breaks. If you heat ice, it melts.",
    "The [cat|dog] is asleep [on the rug|under the rug|on the sofa|near the rug|by the wall|on the step|on the roof|on the bed]. [{N} does not wake it.|It is tired.|It likes to be there.]",
    "{N} put the {toy} [on the rug|on the floor|on the sofa|on the chair|behind the rug|next to the mat].",
    "The dog [ran after the ball|slept by the fire|barked at the {grown}]. [It was a good dog.|Its tail was moving fast.|It was very happy.]",
    "The bird sat on the [branch|roof|fence|gate] and sang. [Then it flew away.|Its song was clear and sweet.]",
    "The {colour} bird [built a nest in the tree|had three eggs in its nest]. Soon there were three little birds.",
    "{N} went to the shop and bought {fruits}, bread and milk. Then {he} went home and [cooked dinner|made a cake].",
    "First, {N} washed {his} hands. Then {he} ate {food}. After that, {he} [went out to play|read a book|helped {his} {grown}].",
    "{N} gets up at seven. {He} washes {his} face, brushes {his} teeth and eats breakfast. Then {he} goes to school.",
    "There are [two|three|four|five] {fruits} in the basket. [They are ripe and sweet.|{N} takes one and eats it.]",
    "The train was late, so {N} waited at the station. [{He} read a book.|{He} sat on a bench.] At last, the train came.",
    "{N}'s {grown} is [a baker|a teacher|a doctor|a farmer|a gardener]. [{N} wants to be one too.|Everyone in the town knows it.]",
    "The old house [stood on a hill|was near the river]. It had a {colour} door and [two|four|six] windows.",
    "Every evening, {N} [reads a story|sings a song|looks at the stars]. Then {he} goes to sleep.",
    "The farmer has [two|three|four] cows, [five|six|seven] hens and a dog. [He feeds them every morning.|The hens lay eggs.]",
    "{N} planted a tree in the garden. In spring, it had flowers. In autumn, it had {fruits}.",
]

DIALOGUES = [
    "\"Good morning, {N},\" said {Fn}. \"Good morning,\" said {N}. \"How are you?\" \"I am [fine, thank you|very well|a little tired],\" said {Fn}.",
    "\"Where are you going?\" asked {N}. \"I am going to the [market|river|park|school],\" said {Fn}. \"[May I come with you|Can I come too]?\" \"Yes, of course,\" said {Fn}.",
    "\"What are you eating?\" asked {N}. \"I am eating {food},\" said {Fn}. \"Would you like some?\" \"[Yes, please|No, thank you],\" said {N}.",
    "\"Is this your {toy}?\" asked {N}. \"[Yes, it is mine|No, it is not mine],\" said {Fn}. \"[Thank you for finding it|I think it belongs to my brother].\"",
    "\"Look at the sky,\" said {N}. \"I think it will [rain|snow] soon.\" \"Then let us go home,\" said {Fn}. They [ran home|walked fast] and got there just in time.",
    "\"What is your favourite colour?\" asked {N}. \"I like {colour},\" said {Fn}. \"[Me too|I like {colour} better],\" said {N}.",
    "\"I am sorry that I was late,\" said {N}. \"That is all right,\" said {Fn}. \"[I am glad that you are here|We can still play].\"",
    "\"Can you help me?\" asked {N}. \"Of course,\" said {Fn}. \"What do you need?\" \"[I cannot reach the shelf|This box is too heavy|I cannot open the door],\" said {N}. So {Fn} helped {him}.",
    "\"I have a secret,\" said {N}. \"What is it?\" asked {Fn}. \"[I found a nest with three eggs|There is a cave behind the hill|Tomorrow is my birthday],\" said {N}. {Fn} {smile}.",
    "\"Are you afraid of the dark?\" asked {N}. \"A little,\" said {Fn}. \"But when you are with me, I am not afraid.\"",
]

DID = ["ran", "sat down", "sang", "slept", "laughed", "jumped", "walked home", "smiled", "waited", "danced", "ate {food}", "drank {drink}", "looked up", "read a book", "went to the {room}"]
IS = ["happy", "tired", "hungry", "kind", "brave", "clever", "cold", "late", "shy", "busy"]


def cat_on_the(rng):
    """A text that opens with the lesson's sentence."""
    seat = rng.choices(list(SEATS), SEATS.values())[0]
    return expand(rng, f"The cat sat on the {seat}. {rng.choice(CAT_AFTER)}", {})


def scene(rng):
    """One to three everyday scenes, each with its own person."""
    count = rng.choice([1, 1, 2, 3])
    return " ".join(expand(rng, rng.choice(SCENES), cast(rng, "child")) for _ in range(count))


def dialogue(rng):
    """Two people talk; one text in three is followed by a scene with the same cast."""
    context = cast(rng, "child")
    text = expand(rng, rng.choice(DIALOGUES), context)
    return text if rng.random() < 0.7 else f"{text} {expand(rng, rng.choice(SCENES), context)}"


def roll_call(rng):
    """Names said again and again: who did what, one to three people in a fixed order."""
    casts = [cast(rng, rng.choice(["child", "animal"])) for _ in range(rng.choice([1, 1, 2, 2, 3]))]
    people = list(dict.fromkeys(context["N"] for context in casts))
    sentences = [f"This is {name}." for name in people] if rng.random() < 0.5 else [f"{' and '.join(people)} {rng.choice(['are here', 'were in the park', 'went out']) if len(people) > 1 else 'was here'}."]
    for _ in range(rng.randint(2, 5)):
        form, words = rng.choice([("{} {}", DID), ("{} was {}", IS), ("{} had {}", [f"a {{colour}} {thing}" for thing in ("hat", "bag", "ball", "coat")])])
        clauses = [form.format(name, expand_word(rng, words)) for name in people]
        sentences.append(rng.choice([", and ", ". "]).join(clauses) + ".")
    return " ".join(sentences)


def expand_word(rng, words):
    """One of `words`, its slots filled, without a capital."""
    return expand(rng, "x " + rng.choice(words), {})[2:]
