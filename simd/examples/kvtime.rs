//! temp
use siskin_simd::{Format, Isa, Kernels};
use std::hint::black_box;
use std::time::Instant;
fn main() {
    let formats = [Format::F32, Format::F16, Format::Q8_0, Format::Q4_0];
    for isa in Isa::available() {
        let k = Kernels::new(isa).unwrap();
        for dim in [64usize, 128] {
            let rows = 1024;
            let x: Vec<f32> = (0..rows * dim).map(|i| ((i * 7919) % 2003) as f32 / 1001.5 - 1.0).collect();
            let stored: Vec<Vec<u8>> = formats.iter().map(|&f| { let mut b = vec![0; f.row_bytes(dim).unwrap() * rows]; k.narrow(f, &x, &mut b); b }).collect();
            let (q, w) = (x[..dim].to_vec(), vec![0.001f32; rows]);
            let (mut scores, mut out) = (vec![0.0; rows], vec![0.0; dim]);
            let mut times = vec![[Vec::new(), Vec::new(), Vec::new()]; 4];
            let mut narrow = vec![0u8; rows * dim * 4];
            for _ in 0..200 {
                for (i, &f) in formats.iter().enumerate() {
                    let t = Instant::now();
                    k.dot_floats(f, black_box(&stored[i]), &q, &mut scores);
                    times[i][0].push(t.elapsed().as_nanos());
                    let t = Instant::now();
                    k.add_rows(f, black_box(&stored[i]), &w, &mut out);
                    times[i][1].push(t.elapsed().as_nanos());
                    let t = Instant::now();
                    let n = stored[i].len() / 16;
                    k.narrow(f, black_box(&x[..rows * dim / 16]), &mut narrow[..n]);
                    times[i][2].push(t.elapsed().as_nanos());
                    black_box((&scores, &out));
                }
            }
            for (i, f) in formats.iter().enumerate() {
                let m: Vec<f64> = times[i].iter_mut().map(|t| { t.sort(); t[t.len() / 2] as f64 / rows as f64 }).collect();
                println!("{isa} dim {dim} {}: dot {:.2} add {:.2} ns a row; narrow {:.2}", f.name(), m[0], m[1], m[2] * 16.0);
            }
        }
    }
}
