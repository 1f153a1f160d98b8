//! How fast memory is read: what bounds the speed of generated tokens, each of which reads all weights once.

use crate::threads::Team;
use memmap2::MmapMut;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Bytes that are read again and again: more than the caches of boards and of most laptops hold, and filled with zeros by the system in a few
/// milliseconds.
const BYTES: u64 = 32 << 20;
/// No page is smaller.
const PAGE: usize = 4096;
/// Bytes that a thread reads at a time.
const CHUNK: usize = 1 << 20;

/// Bytes a second that a team reads of memory of its own, measured for about `time`. It takes 32 MiB meanwhile, but no more than an eighth of
/// `room` bytes; `None` if they cannot be had.
pub fn bandwidth(team: &mut Team, time: Duration, room: u64) -> Option<f64> {
    let bytes = usize::try_from(BYTES.min(room / 8)).ok().filter(|&bytes| bytes >= CHUNK)?;
    let memory = resident(bytes)?;
    let total = AtomicU64::new(0);
    let (start, mut read) = (Instant::now(), 0u64);
    while read == 0 || start.elapsed() < time {
        let chunks: &[u8] = &memory;
        team.run(bytes / CHUNK, &|_, chunk| {
            total.fetch_add(sum(&chunks[chunk * CHUNK..][..CHUNK]), Ordering::Relaxed);
        });
        read += (bytes / CHUNK * CHUNK) as u64;
    }
    black_box(total);
    Some(read as f64 / start.elapsed().as_secs_f64().max(1e-9))
}

/// Zeros that lie in memory of their own, in huge pages if there are any: a write gives a page its memory, where reading would share one page
/// of zeros.
fn resident(bytes: usize) -> Option<MmapMut> {
    let mut memory = MmapMut::map_anon(bytes).ok()?;
    #[cfg(target_os = "linux")]
    let _ = memory.advise(memmap2::Advice::HugePage);
    memory.iter_mut().step_by(PAGE).for_each(|byte| *byte = black_box(0));
    Some(memory)
}

/// Touches every byte, in so many sums side by side that reading is all that takes time.
pub fn sum(bytes: &[u8]) -> u64 {
    let mut sums = [0u64; 32];
    for line in bytes.as_chunks::<256>().0 {
        for (sum, word) in sums.iter_mut().zip(line.as_chunks().0) {
            *sum = sum.wrapping_add(u64::from_le_bytes(*word));
        }
    }
    sums.iter().fold(0, |total, sum| total.wrapping_add(*sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_or_none() {
        let mut team = Team::new(2).unwrap();
        assert_eq!(bandwidth(&mut team, Duration::ZERO, 0), None);
        assert!(bandwidth(&mut team, Duration::ZERO, 16 << 20).is_some_and(|rate| rate > 0.0));
    }
}
