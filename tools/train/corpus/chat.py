"""Conversations under the chat template of the exported model (see `TEMPLATE`)."""

from .facts import fact
from .stories import cast, story
from .words import ANIMALS, expand, polish

START, END = "<|im_start|>", "<|im_end|>"

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

SMALL_TALK = [
    ("[Hello|Hi|Hello!|Hi!|Hello there|Good morning]", "Hello! [How can I help you?|What would you like to hear?|It is nice to meet you.]"),
    ("[Hello|Hi], I am {N}.", "Hello, {N}! [It is nice to meet you.|How are you today?]"),
    ("My name is {N}.", "Hello, {N}! [It is nice to meet you.|How are you today?]"),
    ("How are you?", "I am [fine|very well], thank you. [How are you?|And you?]"),
    ("What is your name?", "My name is Siskin. I am a small [model that can tell stories|bird who can tell stories]."),
    ("Who are you?", "I am Siskin, a very small language model. I can tell short stories."),
    ("What can you do?", "I can tell short stories and answer a few easy questions."),
    ("[Thank you|Thanks|Thank you!|Thanks!]", "You are welcome!"), ("[Goodbye|Bye|Bye!|Good night|Goodbye!]", "Goodbye! [Have a nice day.|See you soon.]"),
    ("I am [sad|lonely|unhappy].", "I am sorry to hear that. [Would you like to hear a story?|I hope that you feel better soon.]"),
    ("I am [happy|glad|in a good mood].", "I am glad to hear that! [What made you happy?|Have a wonderful day.]"),
    ("I am [tired|sleepy].", "Then you should rest. [Good night!|Sleep well!]"),
    ("I am hungry.", "Then you should eat something. [How about {food}?|What is your favourite food?]"),
    ("Say something nice.", "[You are a good friend.|I am glad that you are here.|Today will be a good day.]"),
    ("Do you like {hobby}?", "Yes, I like {hobby} very much."),
]

UNKNOWN = [
    "What is the capital of [France|Spain|Japan|China|Peru|Egypt]?", "Who wrote [Hamlet|that book|this song|the Bible]?", "What is [gravity|democracy|calculus|physics|Linux|Rust|money]?",
    "How do I [fix my car|write a program|install Linux|build a house|get rich]?", "Who is the [president|king|queen] of [America|England|France]?", "What is the meaning of life?",
    "Write [code|a poem|an essay|a program] about [computers|love|history|numbers].", "Translate this to [French|German|Spanish].", "What time is it?", "When was [Einstein|Mozart|Caesar] born?", "Why is the sky blue?",
    "What is the news today?", "How old is the [earth|universe]?",
]
SORRY = ["I do not know that. I am only a small model.", "I am sorry, I do not know. I am very small."]
SYSTEM = ["You are a helpful assistant.", "You are a friendly bird who tells short stories.", "You answer in short sentences.", "Be kind."]


def exchange(rng):
    """(what the user says, what the assistant answers)"""
    dice = rng.random()
    if dice < 0.40:
        return fact(rng)
    if dice < 0.62:
        kind = rng.choice([*ANIMALS, "boy", "girl", None])
        ask = rng.choice(["Tell me a story", "Tell me a short story", "Please tell me a story", "Write a story", "Can you tell me a story"])
        about = f" about a {kind}" if kind else ""
        question = polish(ask + about + ("?" if ask.startswith("Can") else "."))
        return question, story(rng, kind).replace("\n\n", " ")
    if dice < 0.90:
        context = cast(rng, "child")
        return tuple(expand(rng, text, context) for text in rng.choice(SMALL_TALK))
    return expand(rng, rng.choice(UNKNOWN), {}), rng.choice(SORRY)


def chat(rng):
    """One to three exchanges, sometimes after a system message."""
    turns = [("system", rng.choice(SYSTEM))] if rng.random() < 0.2 else []
    for _ in range(rng.choice([1, 1, 2, 3])):
        question, answer = exchange(rng)
        turns += [("user", question), ("assistant", answer)]
        if len(answer) > 300:
            break
    return "".join(f"{START}{role}\n{text}{END}\n" for role, text in turns)
