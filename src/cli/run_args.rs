//! The flags for how the machine is used, of which every command that runs a model has some: definitions only.

use clap::{Args, ValueEnum};
use siskin::kv::KvType;
use siskin::memory::Size;

/// How to use the machine.
#[derive(Debug, Args)]
#[command(next_help_heading = "Machine")]
pub struct RunArgs {
    /// Threads [default: one for each performance core]
    #[arg(short, long, value_name = "N")]
    pub threads: Option<usize>,
    /// Threads for reading the prompt, if not as many as for the rest
    #[arg(long, value_name = "N")]
    pub prefill_threads: Option<usize>,
    /// Use at most N tokens of the model's context [default: all; in a chat, 4096]
    #[arg(long, value_name = "N")]
    pub context: Option<usize>,
    /// How keys and values are stored
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = KvTypeArg::F16)]
    pub kv_type: KvTypeArg,
    /// Memory
    #[command(flatten)]
    pub limit: LimitArgs,
    /// Read the model's file into memory, instead of mapping it
    #[arg(long)]
    pub no_mmap: bool,
    /// Lock the weights in memory, as far as the limit of locked memory (ulimit -l) and the memory permit
    #[arg(long)]
    pub lock: bool,
}

/// How much memory may be taken.
#[derive(Clone, Copy, Debug, Args)]
pub struct LimitArgs {
    /// Allocate at most this much memory, such as 512M or 1.5G; mapped weights do not count
    #[arg(long, value_name = "SIZE", help_heading = "Machine")]
    pub mem_limit: Option<Size>,
    /// Begin even if it needs more memory than there is
    #[arg(long, help_heading = "Machine")]
    pub force: bool,
}

/// `--kv-type`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum KvTypeArg {
    /// Half precision, 2 bytes a value
    F16,
    /// Single precision, 4 bytes a value
    F32,
    /// 8 bits a value and a scale for each 32: 8.5 bits
    #[value(name = "q8_0")]
    Q8_0,
    /// 4 bits a value and a scale for each 32: 4.5 bits
    #[value(name = "q4_0")]
    Q4_0,
}

impl From<KvTypeArg> for KvType {
    fn from(arg: KvTypeArg) -> KvType {
        match arg {
            KvTypeArg::F16 => KvType::F16,
            KvTypeArg::F32 => KvType::F32,
            KvTypeArg::Q8_0 => KvType::Q8_0,
            KvTypeArg::Q4_0 => KvType::Q4_0,
        }
    }
}
