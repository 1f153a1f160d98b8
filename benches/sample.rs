//! What choosing a token costs at a vocabulary of 151,936 tokens (Qwen 2 and 3), for each step of the chain alone and for usual chains: microseconds
//! on one core, and the share of the time of a token. Fails where that is more than 3 %; logits that leave most of the tokens likely are not judged.
//!
//! The token is one of the smallest model with that vocabulary, Qwen2.5-0.5B, all of it in Q4_0: at best, its time is that of reading 278 MB once. That is
//! measured here with all cores, by a loop that adds and by the kernel that decoding uses; the faster one counts. A larger model takes longer, and
//! the share is smaller.
//!
//! `cargo bench --bench sample [NAME]`. Logits are made, of four shapes. `peaked` is roughly what models give: normally distributed with a deviation of 2,
//! and eight tokens above them. The others are normally distributed without a peak, so that top-p 0.95 keeps about as many of the tokens as their names
//! say: a model that is undecided, one at a high temperature, one that has learned nothing.

use siskin::sample::{
    Candidate, Chain, Context, Mirostat, MirostatVersion, Observer, Options, Sampler, TokenSet,
};
use siskin_simd::{ActGroup, Column, Format, Kernels, Work, widest};
use std::hint::black_box;
use std::time::Instant;

const VOCABULARY: usize = 151_936;
const WEIGHTS: usize = 278_000_000;
/// Weights of a row, and rows that a kernel is given at once.
const WIDTH: usize = 896;
const ROWS: usize = 256;
/// Bytes of a row in Q4_0: 18 for each 32 weights.
const ROW: usize = WIDTH / 32 * 18;
const ALLOWED_SHARE: f64 = 0.03;
/// Choices of one measurement, and measurements, of which the median counts.
const CHOICES: u64 = 20;
const REPEATS: usize = 9;

/// How many of the shapes are judged, by the one that takes longest.
const JUDGED: usize = 3;

/// Names of the shapes that logits have here, those that are judged first, deviations, and whether some stand above the others. Of normally distributed logits with the deviation
/// `s`, top-p 0.95 keeps the share `1 - Phi(s - 1.645)`.
const SHAPES: [(&str, f64, bool); 4] =
    [("peaked", 2.0, true), ("100", 4.85, false), ("5,000", 3.483, false), ("100,000", 1.238, false)];

fn main() {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let token = token_seconds();
    println!("a token takes {:.1} ms at least: {} MB read once", token * 1e3, WEIGHTS / 1_000_000);
    let shapes = SHAPES.map(|(_, deviation, peaked)| logits(deviation, peaked));
    for ((name, ..), logits) in SHAPES.iter().zip(&shapes) {
        println!("{name}: top-p 0.95 keeps {} tokens", kept(logits));
    }
    println!(
        "\nmicroseconds\n{:<44}{}{:>10}",
        "chain",
        SHAPES.map(|shape| format!("{:>10}", shape.0)).concat(),
        "share"
    );
    let history: Vec<u32> = (0..4096).map(|i| (noise(i) * VOCABULARY as f64) as u32).collect();
    let mut slow = Vec::new();
    for (name, options, allowed) in settings().into_iter().filter(|entry| entry.0.contains(&only)) {
        let seconds =
            shapes.each_ref().map(|logits| choice_seconds(&options, logits, &history, allowed.as_ref()));
        let share = seconds[..JUDGED].iter().copied().fold(0.0, f64::max) / token;
        println!(
            "{name:<44}{}{:>8.2} %",
            seconds.map(|s| format!("{:>10.1}", s * 1e6)).concat(),
            share * 100.0
        );
        slow.extend((share > ALLOWED_SHARE).then_some(name));
    }
    if !slow.is_empty() {
        eprintln!("more than {} % of a token's time: {}", ALLOWED_SHARE * 100.0, slow.join(", "));
        std::process::exit(1);
    }
}

/// How many tokens top-p 0.95 keeps.
fn kept(logits: &[f32]) -> usize {
    struct Count(usize);

    impl Observer for Count {
        fn after(&mut self, _: &'static str, candidates: &[Candidate]) {
            self.0 = candidates.len();
        }
    }

    let mut options = Options::default();
    (options.temperature, options.top_p) = (1.0, 0.95);
    let mut count = Count(0);
    let mut sampler = Sampler::new(options, VOCABULARY).expect("options in range");
    sampler.sample_observed(logits, &Context::default(), &mut count).expect("usable logits");
    count.0
}

/// The chains: names, options, and whether a grammar allows only some tokens.
fn settings() -> Vec<(&'static str, Options, Option<TokenSet>)> {
    let warm = |change: &dyn Fn(&mut Options)| {
        let mut options = Options::default();
        (options.temperature, options.seed) = (0.8, 1);
        change(&mut options);
        options
    };
    let usual = |options: &mut Options| (options.top_k, options.top_p, options.min_p) = (40, 0.95, 0.05);
    let mut words = TokenSet::full(VOCABULARY);
    (0..VOCABULARY as u32).filter(|token| token % 3 > 0).for_each(|token| words.remove(token));
    let mirostat = |version| Some(Mirostat { version, tau: 5.0, eta: 0.1 });
    vec![
        ("greedy", Options::default(), None),
        ("usual: top-k 40, top-p 0.95, min-p 0.05", warm(&usual), None),
        ("temperature alone", warm(&|_| {}), None),
        ("top-k 40", warm(&|options| options.top_k = 40), None),
        ("top-p 0.95", warm(&|options| options.top_p = 0.95), None),
        ("min-p 0.05", warm(&|options| options.min_p = 0.05), None),
        ("typical 0.95", warm(&|options| options.typical = 0.95), None),
        ("top-n-sigma 1", warm(&|options| options.top_n_sigma = 1.0), None),
        ("xtc", warm(&|options| options.xtc.probability = 1.0), None),
        ("dynamic temperature", warm(&|options| options.dynamic.range = 0.5), None),
        ("mirostat 1", warm(&|options| options.mirostat = mirostat(MirostatVersion::V1)), None),
        ("mirostat 2", warm(&|options| options.mirostat = mirostat(MirostatVersion::V2)), None),
        (
            "usual, penalties over 4096 tokens, dry",
            warm(&|options| {
                usual(options);
                (options.penalties.last_n, options.penalties.repeat) = (4096, 1.1);
                (options.dry.multiplier, options.dry.last_n) = (0.8, 4096);
            }),
            None,
        ),
        (
            "usual, temperature first",
            warm(&|options| {
                usual(options);
                options.chain = "temperature;top_p;top_k;min_p".parse::<Chain>().expect("names of steps");
            }),
            None,
        ),
        ("usual, a third of the tokens allowed", warm(&usual), Some(words)),
        (
            "usual, with log-probabilities",
            warm(&|options| {
                usual(options);
                options.logprobs = true;
            }),
            None,
        ),
    ]
}

/// The median time of a choice.
fn choice_seconds(options: &Options, logits: &[f32], history: &[u32], allowed: Option<&TokenSet>) -> f64 {
    let mut sampler = Sampler::new(options.clone(), VOCABULARY).expect("options in range");
    let allowed = allowed.map(TokenSet::words);
    let mut measure = || {
        sampler.reset();
        let start = Instant::now();
        for position in 0..CHOICES {
            let context = Context { position, history, allowed };
            black_box(sampler.sample(black_box(logits), &context).expect("usable logits"));
        }
        start.elapsed().as_secs_f64() / CHOICES as f64
    };
    measure();
    median((0..REPEATS).map(|_| measure()).collect())
}

/// The time to read the weights once, with every core, by whatever reads them fastest here: the kernel that decoding uses, which asks for
/// memory ahead, or a loop that adds.
fn token_seconds() -> f64 {
    // No zeros: pages of zeros would all be one.
    let weights = vec![0x11u8; WEIGHTS];
    let ways: [fn(&[u8]); 2] = [multiply, add];
    ways.map(|way| read_seconds(&weights, way)).into_iter().fold(f64::INFINITY, f64::min)
}

/// The median time in which all threads together give `way` the weights, each its part.
fn read_seconds(weights: &[u8], way: fn(&[u8])) -> f64 {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let part = (weights.len() / ROW).div_ceil(threads) * ROW;
    let read = || {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for part in weights.chunks(part) {
                scope.spawn(move || way(part));
            }
        });
        start.elapsed().as_secs_f64()
    };
    read();
    median((0..REPEATS).map(|_| read()).collect())
}

/// Multiplies the rows in it by a vector.
fn multiply(weights: &[u8]) {
    let kernels = Kernels::best();
    let x = [1.0; WIDTH];
    let mut groups = vec![ActGroup::ZERO; ActGroup::count(WIDTH)];
    kernels.quantize(&x, &mut groups);
    let mut products = [0.0; ROWS];
    for rows in weights.chunks_exact(ROWS * ROW) {
        kernels.dot_rows(Format::Q4_0, rows, Column::new(&x, &groups), &mut products);
        black_box(&products);
    }
}

/// Adds up the words in it.
fn add(weights: &[u8]) {
    struct Sum<'a>(&'a [[u8; 8]]);

    impl Work for Sum<'_> {
        type Output = u64;

        #[inline(always)]
        fn run(self) -> u64 {
            self.0.iter().fold(0, |sum, word| sum.wrapping_add(u64::from_ne_bytes(*word)))
        }
    }

    black_box(widest(Sum(weights.as_chunks().0)));
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Numbers that look random, in `[0, 1)` (splitmix64).
fn noise(i: u64) -> f64 {
    let mut z = i.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Box and Muller's normal deviates, and if `peaked`, a few tokens that are likely.
fn logits(deviation: f64, peaked: bool) -> Vec<f32> {
    let normal = |i: u64| {
        let (u, v) = (1.0 - noise(2 * i), noise(2 * i + 1));
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    };
    let mut logits: Vec<f32> = (0..VOCABULARY as u64).map(|i| (deviation * normal(i)) as f32).collect();
    for likely in 0..if peaked { 8 } else { 0 } {
        logits[likely * 18_000 + 7] = 18.0 - likely as f32;
    }
    logits
}
