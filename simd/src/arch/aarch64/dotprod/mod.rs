//! NEON with the dot product instructions (ARMv8.2): the block formats with `sdot`. Everything else is as in plain NEON.

mod dots;

use super::instances;
use dots::Dotprod;

instances! { "neon,dotprod", Dotprod::new(); q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k }
