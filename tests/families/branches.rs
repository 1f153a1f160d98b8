//! Sequences that go on from a common beginning, beside the same sequences run one by one, for every family.

use super::{Golden, measure};
use siskin::kv::KvType;
use siskin::kv::shape::BranchShape;
use siskin::model::{Decoder, Job, Model, Plan};
use siskin::ops::Cpu;
use siskin::threads::Team;
use siskin_simd::Kernels;

/// Which branch each goes on from, step by step.
const PARENTS: [&[usize]; 4] = [&[0, 1, 2], &[1, 1, 0], &[2, 0, 2], &[1, 0]];

fn decoder(model: &Model, positions: usize) -> Decoder<'_> {
    let cpu = Cpu { kernels: Kernels::best(), team: Team::new(2).expect("threads") };
    let branches = BranchShape { count: 3, positions: PARENTS.len() };
    let job = Job { positions, branches, kv_type: KvType::F32, threads: 2, ..Job::default() };
    Decoder::new(model, &Plan::new(model, job).expect("it fits"), cpu)
}

#[test]
fn branches_compute_what_they_would_alone() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    for golden in Golden::all().into_iter().filter(|golden| golden.model.format == "F16") {
        let model = golden.load(folder.path());
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
                assert!(error < 1e-4, "{}: step {step}, branch {branch}: {error}", golden.name());
            }
        }
        assert_eq!(together.truncate(prompt.len()), prompt.len());
        assert_eq!(together.position(), prompt.len());
    }
}
