//! Bad input has names.

use super::*;

#[test]
fn unusable_logits_are_named_at_any_temperature() {
    for temperature in [0.0, 1.0] {
        let mut sampler = sampler(&Options { temperature, ..Options::default() }, 3);
        let mut error = |logits: &[f32]| sampler.sample(logits, &at(7)).unwrap_err();
        assert_eq!(error(&[0.0, 1.0, f32::NAN]), Error::NotANumber { position: 7, token: 2 });
        assert_eq!(error(&[0.0, f32::INFINITY, f32::NAN]), Error::Infinite { position: 7, token: 1 });
        assert_eq!(error(&[f32::NEG_INFINITY; 3]), Error::NothingFinite { position: 7, tokens: 3 });
        assert_eq!(error(&[0.0; 2]), Error::LogitCount { position: 7, found: 2, expected: 3 });
        assert_eq!(error(&[]), Error::LogitCount { position: 7, found: 0, expected: 3 });
    }
}

#[test]
fn nothing_to_choose_from_is_named() {
    for temperature in [0.0, 1.0] {
        let banned = vec![(0, f32::NEG_INFINITY), (1, f32::NEG_INFINITY)];
        let banned = Options { temperature, logit_bias: banned, ..Options::default() };
        let error = sampler(&banned, 2).sample(&[1.0, 2.0], &at(3)).unwrap_err();
        assert_eq!(error, Error::NothingLeft { position: 3 });

        let mut free = sampler(&Options { temperature, ..Options::default() }, 2);
        let mut with = |allowed: &[u32], logits: &[f32]| {
            free.sample(logits, &Context { allowed: Some(allowed), ..at(3) })
        };
        for (allowed, logits) in [
            (&[0u32][..], [1.0f32, 2.0]),
            (&[], [1.0, 2.0]),
            (&[0b100], [1.0, 2.0]),
            (&[1], [f32::NEG_INFINITY, 2.0]),
        ] {
            assert_eq!(with(allowed, &logits), Err(Error::NothingAllowed { position: 3 }));
        }
        assert_eq!(with(&[1], &[-9.0, 2.0]).unwrap().token, 0);
    }
}

#[test]
fn a_history_of_another_model_is_named() {
    let penalties = Penalties { last_n: 2, repeat: 1.1, presence: 0.0, frequency: 0.0 };
    let mut sampler = sampler(&Options { penalties, ..Options::default() }, 2);
    let mut after = |history: &[u32]| sampler.sample(&[0.0, 1.0], &Context { history, ..at(5) });
    assert_eq!(after(&[0, 2, 1]), Err(Error::History { position: 5, token: 2, tokens: 2 }));
    assert!(after(&[2, 0, 1]).is_ok(), "nobody looks that far back");
}

#[test]
fn options_out_of_range_are_named() {
    let with = |options: Options, vocab| Sampler::new(options, vocab).err();
    let base = Options::default;
    for found in [-0.1, f32::INFINITY, f32::NEG_INFINITY] {
        assert_eq!(with(Options { temperature: found, ..base() }, 9), Some(Error::Temperature { found }));
    }
    for found in [0.0, -1.0, 1.1, f32::INFINITY] {
        assert_eq!(with(Options { top_p: found, ..base() }, 9), Some(Error::TopP { found }));
    }
    for found in [-0.1, 1.0, f32::INFINITY] {
        assert_eq!(with(Options { min_p: found, ..base() }, 9), Some(Error::MinP { found }));
    }
    let nan = f32::NAN;
    assert!(matches!(with(Options { temperature: nan, ..base() }, 9), Some(Error::Temperature { .. })));
    assert!(matches!(with(Options { top_p: nan, ..base() }, 9), Some(Error::TopP { .. })));
    assert!(matches!(with(Options { min_p: nan, ..base() }, 9), Some(Error::MinP { .. })));
    assert_eq!(with(base(), 0), Some(Error::Vocabulary { found: 0 }));
    let bias = |token, found| with(Options { logit_bias: vec![(token, found)], ..base() }, 9);
    assert_eq!(bias(9, 1.0), Some(Error::BiasToken { token: 9, tokens: 9 }));
    assert_eq!(bias(8, f32::INFINITY), Some(Error::Bias { token: 8, found: f32::INFINITY }));
    assert_eq!(bias(8, f32::NEG_INFINITY), None);
}

#[test]
fn every_other_setting_has_a_range() {
    let check = |name: &str, bad: &[f32], set: fn(&mut Options, f32)| {
        for &found in bad.iter().chain(&[f32::NAN]) {
            let mut options = Options::default();
            set(&mut options, found);
            match Sampler::new(options, 9) {
                Err(Error::Setting { name: named, .. }) => assert_eq!(named, name),
                other => panic!("{name} {found}: {other:?}"),
            }
        }
    };
    let infinite = f32::INFINITY;
    check("typical", &[0.0, 1.1], |options, x| options.typical = x);
    check("top-n-sigma", &[-1.0, infinite], |options, x| options.top_n_sigma = x);
    check("xtc probability", &[-0.1, 1.1], |options, x| options.xtc.probability = x);
    check("xtc threshold", &[0.0, 1.1], |options, x| options.xtc.threshold = x);
    check("dynamic temperature range", &[-0.1, infinite], |options, x| options.dynamic.range = x);
    check("dynamic temperature exponent", &[0.0, infinite], |options, x| options.dynamic.exponent = x);
    check("repetition penalty", &[0.0, -1.0, infinite], |options, x| options.penalties.repeat = x);
    check("presence penalty", &[infinite], |options, x| options.penalties.presence = x);
    check("frequency penalty", &[-infinite], |options, x| options.penalties.frequency = x);
    check("dry multiplier", &[-0.1, infinite], |options, x| options.dry.multiplier = x);
    check("dry base", &[0.9, infinite], |options, x| options.dry.base = x);
    check("dry allowed length", &[0.0], |options, x| options.dry.allowed_length = x as u32);
    check("mirostat tau", &[0.0, infinite], |options, tau| {
        options.mirostat = Some(Mirostat { version: MirostatVersion::V1, tau, eta: 0.1 });
    });
    check("mirostat eta", &[0.0, infinite], |options, eta| {
        options.mirostat = Some(Mirostat { version: MirostatVersion::V2, tau: 5.0, eta });
    });
}

#[test]
fn chains_out_of_shape_are_named() {
    let chain = |text: &str| text.parse::<Chain>();
    assert_eq!(chain("top_k;topp"), Err(Error::UnknownStep { found: "topp".into() }));
    assert_eq!(chain("top_k;min_p;top_k"), Err(Error::StepTwice { step: "top_k" }));
    assert_eq!(chain("").unwrap().steps(), []);
    assert_eq!(chain(&Chain::default().to_string()), Ok(Chain::default()));
}

#[test]
fn messages_say_where_what_and_what_to_try() {
    let text = Error::NotANumber { position: 12, token: 345 }.to_string();
    assert!(text.starts_with("position 12: the logit of token 345 is NaN"), "{text}");
    let with = |options| Sampler::new(options, 9).unwrap_err().to_string();
    assert_eq!(
        with(Options { top_p: 2.0, ..Options::default() }),
        "top-p: found 2, expected a number above 0 and at most 1. Try 0.95, or 1 to turn it off."
    );
    assert_eq!(
        with(Options { typical: 2.0, ..Options::default() }),
        "typical: found 2, expected a number above 0 and at most 1. Try 0.95, or 1 to turn it off."
    );
}
