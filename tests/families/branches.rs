//! Sequences that go on from a common beginning, beside the same sequences run one by one, for every family.

use super::{Golden, measure};
use siskin::kv::KvType;
use siskin::kv::shape::BranchShape;
use siskin::model::{Decoder, Job, Model, Plan};
use siskin::ops::Cpu;
use siskin::threads::Team;
use siskin_simd::Kernels;
use siskin_tools::some;

/// Which branch each goes on from, step by step.
const PARENTS: [&[usize]; 4] = [&[0, 1, 2], &[1, 1, 0], &[2, 0, 2], &[1, 0]];

fn decoder(model: &Model, positions: usize) -> Decoder<'_> {
    let cpu = Cpu { kernels: Kernels::best(), team: Team::new(2).expect("threads") };
    let branches = BranchShape { count: 3, positions: PARENTS.len(), run: 1, shared: 0 };
    let job = Job { positions, branches, kv_type: KvType::F32, threads: 2, ..Job::default() };
    Decoder::new(model, &Plan::new(model, job).expect("it fits"), cpu)
}

#[test]
fn branches_compute_what_they_would_alone() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    for golden in Golden::of_each_kind().filter(|golden| golden.model.format == "F16") {
        let model = golden.model(folder.path());
        let prompt = &golden.prompt;
        let mut together = decoder(&model, prompt.len());
        together.forward(prompt);
        together.branch(3);
        let mut alone = decoder(&model, prompt.len() + PARENTS.len());
        let mut sequences = vec![Vec::new(); 3];
        for (step, parents) in PARENTS.into_iter().enumerate() {
            together.rearrange(parents);
            sequences = parents.iter().map(|&parent| sequences[parent].clone()).collect();
            let id = |branch: usize| golden.ids[(7 * step + 3 * branch) % golden.ids.len()];
            let tokens: Vec<_> = (0..parents.len()).map(|branch| (branch, id(branch))).collect();
            sequences.iter_mut().zip(&tokens).for_each(|(sequence, &(_, id))| sequence.push(id));
            together.forward_branches(&tokens);
            for (branch, sequence) in sequences.iter().enumerate() {
                if alone.truncate(prompt.len()) == 0 {
                    alone.forward(prompt);
                }
                sequence.iter().for_each(|&id| alone.forward(&[id]));
                let error = measure::relative(together.logits(branch), alone.logits(0));
                assert!(error < 1e-4, "{}: step {step}, branch {branch}: {error}", golden.name);
            }
        }
        assert_eq!(together.truncate(prompt.len()), prompt.len());
        assert_eq!(together.position(), prompt.len());
    }
}

/// Tokens of a sequence that a pass runs, after `done` of `len`: parts, and the last ones each by itself.
fn part(done: usize, len: usize) -> usize {
    if len - done > 3 { PART.min(len - 3 - done) } else { 1 }
}

const PART: usize = 7;

/// A decoder for three sequences of their own, the longest of which has so many positions, and all together as many as they share.
fn slots(model: &Model, positions: usize, shared: usize) -> Decoder<'_> {
    let cpu = Cpu { kernels: Kernels::best(), team: Team::new(2).expect("threads") };
    let branches = BranchShape { count: 3, positions, run: PART, shared };
    let job =
        Job { positions: 1, branches, kv_type: KvType::F32, threads: 2, prompt: Some(1), ..Job::default() };
    let mut decoder = Decoder::new(model, &Plan::new(model, job).expect("it fits"), cpu);
    decoder.branch(3);
    decoder.round_alike();
    decoder
}

/// Runs sequences side by side, each in a branch of its own; the logits after the last token of each.
fn side_by_side(
    decoder: &mut Decoder<'_>,
    vocabulary: usize,
    sequences: &[(usize, &[u32])],
) -> Vec<Vec<f32>> {
    sequences.iter().for_each(|&(branch, ids)| decoder.give_branch(branch, ids.len()));
    let mut going: Vec<_> =
        sequences.iter().enumerate().map(|(i, &(branch, ids))| (i, branch, ids, 0)).collect();
    let mut logits = vec![Vec::new(); sequences.len()];
    while !going.is_empty() {
        let parts: Vec<_> = going
            .iter()
            .map(|&(_, branch, ids, done)| (branch, &ids[done..done + part(done, ids.len())]))
            .collect();
        decoder.forward_runs(parts.iter().copied());
        let rows: Vec<usize> = (1..=parts.len())
            .map(|count| parts[..count].iter().map(|(_, ids)| ids.len()).sum::<usize>() - 1)
            .collect();
        let mut of_parts = vec![0.0; rows.len() * vocabulary];
        decoder.logits_at(&rows, &mut of_parts);
        for ((i, _, _, done), ((_, ids), row)) in
            going.iter_mut().zip(parts.iter().zip(of_parts.chunks_exact(vocabulary)))
        {
            *done += ids.len();
            logits[*i] = row.to_vec();
        }
        going.retain(|(_, _, ids, done)| *done < ids.len());
    }
    sequences.iter().for_each(|&(branch, _)| decoder.give_branch(branch, 0));
    logits
}

/// The logits after the last token of a sequence that is moved halfway, when one before it has ended and one comes that no gap is long enough for.
fn moved(decoder: &mut Decoder<'_>, ids: &[u32], short: usize) -> Vec<f32> {
    decoder.give_branch(0, short);
    decoder.give_branch(1, ids.len());
    let mut done = 0;
    while done < ids.len() {
        let end = done + part(done, ids.len());
        if (done..end).contains(&(ids.len() / 2)) {
            decoder.give_branch(0, 0);
            decoder.give_branch(2, decoder.free_to_share());
            decoder.forward_runs([(2, &ids[..1]), (1, &ids[done..end])].into_iter());
        } else {
            decoder.forward_runs([(1, &ids[done..end])].into_iter());
        }
        done = end;
    }
    decoder.logits(0).to_vec()
}

/// Sequences of their own, in branches that others had before: to the bit what each is by itself, and near what the trunk computes.
#[test]
fn sequences_side_by_side_are_what_they_are_alone() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    for golden in Golden::of_each_kind() {
        let model = golden.model(folder.path());
        let vocabulary = model.weights().vocabulary();
        let backwards: Vec<u32> = golden.prompt.iter().rev().copied().collect();
        let sequences = [&golden.prompt[..], &golden.ids[..golden.ids.len().min(9)], &backwards[..]];
        let positions = sequences.iter().map(|ids| ids.len()).max().expect("three");
        let lens = sequences.map(<[u32]>::len);
        let mut slots = slots(&model, positions, lens.iter().sum());
        let three = [(0, sequences[0]), (1, sequences[1]), (2, sequences[2])];
        let together = side_by_side(&mut slots, vocabulary, &three);
        for (branch, (ids, expected)) in some([2, 0, 1].into_iter().zip(sequences.iter().zip(&together)), 3) {
            let alone = side_by_side(&mut slots, vocabulary, &[(branch, ids)]);
            assert_eq!(alone[0], *expected, "{}: in branch {branch}", golden.name);
        }
        assert!(lens[1] < lens[0], "{}: {lens:?}", golden.name);
        let (mut slots, logits) = (self::slots(&model, positions, 2 * lens[0]), &together[0]);
        assert_eq!(moved(&mut slots, sequences[0], lens[1]), *logits, "{}: moved", golden.name);
        if golden.model.format == "F16" {
            let mut trunk = decoder(&model, positions);
            for (ids, expected) in sequences.iter().zip(&together) {
                trunk.truncate(0);
                ids.chunks(PART).for_each(|ids| trunk.forward(ids));
                let row = (ids.len() - 1) % PART;
                let error = measure::relative(trunk.logits(row), expected);
                assert!(error < 1e-4, "{}: {error}", golden.name);
            }
        }
    }
}
