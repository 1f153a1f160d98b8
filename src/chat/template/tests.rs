//! Small templates of our own: what is rendered, what is refused, and what hostile ones achieve.

use super::*;
use siskin_tools::emulated;
use std::time::{Duration, UNIX_EPOCH};

fn compile(source: &str) -> Result<Template, Error> {
    let specials = Specials { bos: "<s>".to_owned(), eos: "</s>".to_owned(), unknown: String::new() };
    Template::new(source, &specials)
}

fn render_with(source: &str, messages: &[Message]) -> Result<String, Error> {
    let conversation = Conversation {
        messages,
        tools: &[],
        add_generation_prompt: true,
        now: UNIX_EPOCH + Duration::from_secs(86_400),
    };
    compile(source)?.render(conversation)
}

fn render(source: &str) -> Result<String, Error> {
    render_with(source, &[Message::new("user", "Hi <there> & \"you\"")])
}

#[track_caller]
fn gives(source: &str, expected: &str) {
    assert_eq!(render(source).expect(source), expected, "{source}");
}

#[test]
fn a_conversation_is_rendered() {
    let source = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}\
                  {% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
    let messages = [Message::new("system", "Be kind."), Message::new("user", "Hello")];
    assert_eq!(
        render_with(source, &messages).expect("a rendering"),
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    );
}

/// Blocks take their line with them, as `trim_blocks` and `lstrip_blocks` say, and nothing is escaped.
#[test]
fn blanks_and_markup_are_those_of_jinja2_in_transformers() {
    gives("a\n  {% if true %}\n b\n  {% endif %}\nc\n", "a\n b\nc");
    gives("{{ messages[0].content }}", "Hi <there> & \"you\"");
    gives("{{ messages[0].content | escape }}", "Hi &lt;there&gt; &amp; &#34;you&#34;");
    gives("{{ messages[0] | tojson }}", r#"{"role": "user", "content": "Hi <there> & \"you\""}"#);
    gives(
        "{{ {'b': [1, 2.0], 'a': none} | tojson(indent=1) }}",
        "{\n \"b\": [\n  1,\n  2.0\n ],\n \"a\": null\n}",
    );
    gives(
        "{{ {'b': 'é', 'a': 1} | tojson(ensure_ascii=true, sort_keys=true, separators=(',', ':')) }}",
        r#"{"a":1,"b":"\u00e9"}"#,
    );
}

#[test]
fn python_is_at_hand() {
    gives("{{ bos_token }}{{ messages[0]['content'].upper().strip('U\"')[:2] }}{{ eos_token }}", "<s>HI</s>");
    gives("{{ strftime_now('%d %b %Y') }}", "02 Jan 1970");
    gives(
        "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% elif i > 2 %}{% break %}{% endif %}{{ i }}{% endfor %}",
        "02",
    );
    gives(
        "{{ tools is none }} {{ documents is none }} {{ undefined_name is defined }}{{ undefined_name }}",
        "True True False",
    );
    gives(
        "{{ tools is iterable }} {{ messages is iterable }} {{ 'ab' is iterable }} {{ 1 is iterable }}",
        "False True True False",
    );
    gives(
        "{% set ns = namespace(n=1) %}{% for m in messages %}{% set ns.n = 2 %}{% endfor %}{{ ns.n }}",
        "2",
    );
}

#[test]
fn generation_blocks_are_plain_ones() {
    gives("a {%- generation -%} b {%- endgeneration -%} c {% generation %}d{% endgeneration %}", "abc d");
    gives("{% if true %}{{ '{% generation' }}{% endif %}", "{% generation");
    assert!(matches!(without_generation_blocks("no blocks"), Cow::Borrowed(_)));
    assert_eq!(without_generation_blocks("a {% if x %} {% open"), "a {% if x %} {% open");
}

#[test]
fn refusals_are_told_in_the_words_of_the_template() {
    let error =
        render("{% macro m() %}{{ raise_exception('system role is not supported') }}{% endmacro %}{{ m() }}");
    assert!(
        matches!(&error, Err(Error::Refused { reason }) if reason == "system role is not supported"),
        "{error:?}"
    );
    let error = render("{{ raise_exception('ran out of fuel: recursion limit') }}");
    assert!(matches!(error, Err(Error::Refused { .. })), "{error:?}");
}

#[test]
fn mistakes_are_named_with_their_line() {
    for (source, line, word) in [
        ("a\n{% if %}", 2, "syntax"),
        ("\n\n{{ nothing.at.all }}", 3, "undefined"),
        ("{{ messages | shuffle }}", 1, "shuffle"),
        ("{{ strftime_now('%Q') }}", 1, "%Q"),
        ("{% include 'other' %}", 1, "include"),
        ("{{ 1 | tojson(indent=1000) }}", 1, "indent"),
        ("{{ 1 | tojson(separators=[',']) }}", 1, "separators"),
        ("{{ messages | tojson(no_such=1) }}", 1, "no_such"),
    ] {
        match render(source) {
            Err(Error::Invalid { line: found, reason }) => {
                assert_eq!(found, Some(line), "{source}: {reason}");
                assert!(reason.contains(word), "{source}: {reason}");
            }
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[track_caller]
fn exceeds(source: &str, is_expected: impl Fn(Limit) -> bool) {
    match render(source) {
        Err(Error::Limit { limit }) => assert!(is_expected(limit), "{source}: {limit}"),
        other => panic!("{source}: {:?}", other.map(|text| text.len())),
    }
}

fn steps(limit: Limit) -> bool {
    matches!(limit, Limit::Steps(_))
}

#[test]
fn endless_work_ends() {
    let nested = "{% for a in range(99999) %}".repeat(4) + &"{% endfor %}".repeat(4);
    exceeds(&nested, steps);
    exceeds(
        "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        steps,
    );
    exceeds("{{ ('x' * 999999999)[0] }}", steps);
    exceeds("{{ [1] * 999999 }}", steps);
}

#[test]
fn endless_output_ends() {
    let source = "{% set s = 'x' * 999999 %}{% for i in range(99) %}{{ s }}{% endfor %}";
    exceeds(source, |limit| matches!(limit, Limit::Output(_) | Limit::Steps(_)));
    exceeds(&"x".repeat(MAX_OUTPUT), |limit| matches!(limit, Limit::Source(_)));
}

#[test]
fn endless_recursion_ends() {
    exceeds("{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}", |limit| {
        matches!(limit, Limit::Depth(_))
    });
    // The compiler has a limit of its own.
    assert!(matches!(
        render(&format!("{{{{ {}1{} }}}}", "(".repeat(9999), ")".repeat(9999))),
        Err(Error::Invalid { .. })
    ));
    assert!(matches!(render(&"{% if 1 %}".repeat(9999)), Err(Error::Invalid { .. })));
}

/// Values within values, thousands deep or shared a billion times, are shown or refused, and dropped, in peace: as deep as steps allow, in
/// long conversations too.
#[test]
fn deep_values_do_no_harm() {
    let long = vec![Message::new("user", ""); 600];
    let all = [(&long[..1], 10_000), (&long[..], 250_000)];
    let cases = if emulated() { &[(&long[..1], 2_000)][..] } else { &all };
    for &(messages, levels) in cases {
        let nest = format!(
            "{{% set ns = namespace(x=[]) %}}{{% for i in range({}) %}}{{% set ns.x = {}ns.x{} %}}{{% endfor %}}",
            levels / 40,
            "[".repeat(40),
            "]".repeat(40)
        );
        assert_eq!(render_with(&nest, messages).expect("steps enough"), "");
        for use_of_it in [
            "{{ ns.x }}",
            "{{ ns.x == [ns.x] }}",
            "{{ ns.x | string | length }}",
            "{{ {'a': ns.x} in [ns] }}",
        ] {
            let shown = render_with(&format!("{nest}{use_of_it}"), messages);
            assert!(matches!(shown, Ok(_) | Err(Error::Limit { .. })), "{use_of_it}: {shown:?}");
        }
        for use_of_it in ["{{ ns.x | tojson }}", "{{ ns.x | pprint }}"] {
            assert!(render_with(&format!("{nest}{use_of_it}"), messages).is_err(), "{use_of_it}");
        }
    }
    let shared =
        "{% set ns = namespace(x=['x']) %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}";
    for use_of_it in ["{{ ns.x | tojson }}", "{{ ns.x }}"] {
        assert!(render(&format!("{shared}{use_of_it}")).is_err(), "{use_of_it}");
    }
}

/// The interpreter panics at this one, which mutation found; a conversation must not.
#[test]
fn a_panic_of_the_interpreter_is_an_error() {
    let source = "{% for m in messages recursive %}{% generation %}{{ m.content }}{% break %}{% endgeneration %}{% endfor %}";
    assert!(matches!(render(source), Ok(_) | Err(Error::Invalid { .. })), "{source}");
}
