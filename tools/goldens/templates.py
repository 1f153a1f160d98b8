"""Record what Python's jinja2 renders from real chat templates: `python templates.py --templates DIR`.

The environment is that of the `transformers` library (utils/chat_template_utils.py): an immutable sandbox, `trim_blocks`,
`lstrip_blocks`, loop controls, `generation` blocks, `tojson` without HTML escaping, `raise_exception`, `strftime_now`. The templates
are not part of the repository, so only hashes of them and of what they render are written.
"""

import argparse
import json
import platform
from datetime import datetime, timezone
from pathlib import Path

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox

OUT = Path(__file__).resolve().parents[2] / "tests/data/templates.json"
# 2025-07-04 12:34:56 UTC
NOW = 1_751_632_496

SYSTEM = {"role": "system", "content": "You are a helpful assistant."}
DIALOGUE = [
    {"role": "user", "content": "Hello, what's 2 + 2?"},
    {"role": "assistant", "content": "2 + 2 = 4. Is there <anything> \"else\" & more?"},
    {"role": "user", "content": "  Tell me about naïve café 日本語 😀.\nIn two lines.  "},
]
CALL = {"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": 2, "exact": True}}}
TOOLS = [{
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city, <now> & \"later\"",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "The city"},
                "days": {"type": "integer", "description": "How many days", "default": 1},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["city"],
        },
    },
}]
CONVERSATIONS = {
    "system": {"messages": [SYSTEM, *DIALOGUE]},
    "no_system": {"messages": DIALOGUE},
    "one_turn": {"messages": DIALOGUE[:1]},
    "finished": {"messages": DIALOGUE[:2], "add_generation_prompt": False},
    "tools": {
        "messages": [
            SYSTEM,
            {"role": "user", "content": "What is the weather in Zürich?"},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "call12345", **CALL}]},
            {"role": "tool", "tool_call_id": "call12345", "name": "get_weather", "content": "{\"sky\": \"clear\", \"degrees\": 21.5}"},
            {"role": "assistant", "content": "It is clear, 21.5 degrees."},
            {"role": "user", "content": "Thanks. And tomorrow?"},
        ],
        "tools": TOOLS,
    },
}


class Generation(jinja2.ext.Extension):
    """`{% generation %}` blocks, which render as what they hold."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def strftime_now(pattern):
    return datetime.fromtimestamp(NOW, timezone.utc).strftime(pattern)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = strftime_now
    return env


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def render(env, source, conversation):
    """The text, or the error's."""
    try:
        return env.from_string(source).render(
            messages=conversation["messages"],
            tools=conversation.get("tools"),
            documents=None,
            add_generation_prompt=conversation.get("add_generation_prompt", True),
            bos_token="<s>",
            eos_token="</s>",
            unk_token="<unk>",
        ), None
    except Exception as error:  # whatever a template does is its author's, and recorded
        return None, f"{type(error).__name__}: {error}"


def record(env, path):
    data = path.read_bytes()
    entry = {"fnv1a": fnv1a(data)}
    for name, conversation in CONVERSATIONS.items():
        text, error = render(env, data.decode(), conversation)
        entry[name] = {"error": error} if text is None else {"bytes": len(text.encode()), "fnv1a": fnv1a(text.encode())}
    return entry


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--templates", type=Path, required=True)
    parser.add_argument("--texts", type=Path, help="write the rendered texts into this folder too, to look at differences")
    args = parser.parse_args()
    env = environment()
    templates = {path.name: record(env, path) for path in sorted(args.templates.glob("*.jinja"))}
    made_by = {"python": platform.python_version(), "jinja2": jinja2.__version__, "now": NOW}
    golden = {"made_by": made_by, "conversations": CONVERSATIONS, "templates": templates}
    OUT.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")
    if args.texts:
        args.texts.mkdir(parents=True, exist_ok=True)
        for path in args.templates.glob("*.jinja"):
            for name, conversation in CONVERSATIONS.items():
                text, error = render(env, path.read_text(), conversation)
                (args.texts / f"{path.stem}.{name}").write_text(text or error or "")


if __name__ == "__main__":
    main()
