//! The team: every chunk once, whatever the number of threads; panics, limits and sleep.

use super::*;

#[test]
fn every_chunk_once() {
    for threads in [1, 2, 3, 8] {
        let mut team = Team::new(threads).unwrap();
        for chunks in [0, 1, 2, 7, 100] {
            let counts: Vec<AtomicUsize> = (0..chunks).map(|_| AtomicUsize::new(0)).collect();
            team.run(chunks, &|_, chunk| {
                counts[chunk].fetch_add(1, Ordering::Relaxed);
            });
            assert!(
                counts.iter().all(|count| count.load(Ordering::Relaxed) == 1),
                "{threads} threads, {chunks} chunks"
            );
        }
    }
}

/// A worker that stays in its first chunk: the leader has to take the rest of its share, or the wait ends in a panic.
#[test]
fn a_share_is_left_to_others() {
    let mut team = Team::new(2).unwrap();
    let (chunks, done) = (100, AtomicUsize::new(0));
    let begin = std::time::Instant::now();
    team.run(chunks, &|thread, _| {
        if thread == 1 {
            while done.load(Ordering::Relaxed) < chunks - 1 {
                assert!(begin.elapsed().as_secs() < 60, "chunks are left to a thread that is busy");
                thread::yield_now();
            }
        } else if done.load(Ordering::Relaxed) < chunks - 2 {
            // lets the worker come before everything is done
            thread::sleep(std::time::Duration::from_micros(100));
        }
        done.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(done.into_inner(), chunks);
}

#[test]
fn many_short_jobs_and_pauses() {
    let mut team = Team::new(3).unwrap();
    let mut data = vec![0u32; 10];
    for round in 0..3000 {
        team.chunks_mut(&mut data, 3, |_, chunk| chunk.iter_mut().for_each(|x| *x += 1));
        if round % 1000 == 0 {
            thread::sleep(std::time::Duration::from_millis(5));
        }
    }
    assert_eq!(data, [3000; 10]);
}

#[test]
fn states_belong_to_one_thread() {
    let mut team = Team::new(4).unwrap();
    let (mut sums, mut data) = (vec![0usize; 4], vec![0u8; 1000]);
    team.chunks_with(&mut sums, &mut data, 7, |sum, _, chunk| *sum += chunk.len());
    assert_eq!(sums.iter().sum::<usize>(), 1000);
}

#[test]
fn strips_cover_every_column_of_every_target() {
    let mut team = Team::new(3).unwrap();
    let (mut a, mut b) = (vec![0.0; 2 * 10], vec![0.0; 3 * 4]);
    let mut targets =
        [Target { out: &mut a, width: 10, strip: 3 }, Target { out: &mut b, width: 4, strip: 4 }];
    team.strips_with(&mut [(); 3], &mut targets, |(), target, first, mut strip| {
        for row in 0..strip.height() {
            for (i, x) in strip.row(row).iter_mut().enumerate() {
                *x += (target * 100 + row * 10 + first + i) as f32;
            }
        }
    });
    let expected = |rows: usize, width: usize, base: usize| -> Vec<f32> {
        (0..rows).flat_map(|r| (0..width).map(move |c| (base + r * 10 + c) as f32)).collect()
    };
    assert_eq!(a, expected(2, 10, 0));
    assert_eq!(b, expected(3, 4, 100));
}

/// Every member beyond the limit stays away, whatever the limit was before; pauses let the workers fall asleep between.
#[test]
fn members_beyond_the_limit_take_no_part() {
    let mut team = Team::new(4).unwrap();
    for (round, limit) in [4, 1, 2, 3, 1, 4, 2].into_iter().cycle().take(700).enumerate() {
        team.limit(limit);
        let counts: Vec<AtomicUsize> = (0..20).map(|_| AtomicUsize::new(0)).collect();
        team.run(20, &|thread, chunk| {
            assert!(thread < limit, "thread {thread} of {limit}");
            counts[chunk].fetch_add(1, Ordering::Relaxed);
            thread::yield_now();
        });
        assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
        if round % 50 == 0 {
            thread::sleep(std::time::Duration::from_millis(3));
        }
    }
    team.limit(0);
    team.run(3, &|thread, _| assert_eq!(thread, 0));
    team.limit(usize::MAX);
    assert_eq!(team.threads(), 4);
}

/// A worker that slept through a low limit takes part again: two chunks that wait for each other need two threads.
#[test]
fn a_raised_limit_wakes_the_sleepers() {
    let mut team = Team::new(2).unwrap();
    for _ in 0..20 {
        team.limit(1);
        team.run(2, &|_, _| {});
        thread::sleep(std::time::Duration::from_millis(2));
        team.limit(2);
        let meeting = std::sync::Barrier::new(2);
        team.run(2, &|_, _| {
            meeting.wait();
        });
    }
}

#[test]
fn workers_can_be_bound() {
    let cpu = topology::Topology::this_machine().cpus()[0].index;
    let mut team = Team::on_cpus(3, Some(&[cpu])).unwrap();
    let mut data = [0u32; 64];
    team.chunks_mut(&mut data, 1, |index, chunk| chunk[0] = index as u32);
    assert!(data.iter().enumerate().all(|(index, &value)| value == index as u32));
}

#[test]
fn a_panic_in_a_chunk_reaches_the_caller_and_the_team_goes_on() {
    let mut team = Team::new(2).unwrap();
    let result =
        catch_unwind(AssertUnwindSafe(|| team.run(8, &|_, chunk| assert!(chunk != 5, "on purpose"))));
    assert!(result.is_err());
    team.run(4, &|_, _| {});
}

#[test]
fn sizes_that_make_no_sense_are_refused() {
    assert!(Team::new(0).is_err());
    assert!(Team::new(MAX_THREADS + 1).is_err());
}

#[test]
fn chunks_of_two_slices_meet() {
    for threads in [1, 3] {
        let mut team = Team::new(threads).unwrap();
        let (mut data, mut others) = ([0usize; 7], [0usize; 12]);
        team.chunk_pairs_mut(&mut data, &mut others, (2, 3), |index, data, others| {
            data.fill(index + 1);
            others.fill(10 * (index + 1));
        });
        assert_eq!(data, [1, 1, 2, 2, 3, 3, 4]);
        assert_eq!(others, [10, 10, 10, 20, 20, 20, 30, 30, 30, 40, 40, 40]);
    }
}
