//! A plan for scripts: one JSON object, sizes in bytes.

use super::Report;
use serde_json::{Value, json};
use siskin::memory::{self, PROGRAM_BYTES};

/// The whole plan.
pub fn json(report: &Report<'_>) -> Value {
    let (footprint, plan, job) = (&report.footprint, &report.footprint.plan, &report.job);
    let branches = report.branches();
    json!({
        "model": report.name,
        "job": {
            "positions": job.extent.positions, "branches": branches.count, "branch_positions": branches.positions,
            "sinks": job.extent.sinks, "context": job.context, "kv_type": job.options.kv_type.name(), "threads": job.threads, "batch": plan.batch,
        },
        "mapped": footprint.mapped,
        "weights_owned": footprint.weights,
        "weights": weights(report),
        "kv": plan.kv,
        "kv_layers": kv_layers(report),
        "scratch": plan.scratch,
        "search": plan.search,
        "tables": plan.tables,
        "tokenizer": footprint.tokenizer.owned,
        "tokenizer_estimated": !footprint.tokenizer.exact,
        "owned": footprint.owned(),
        "stacks": footprint.stacks,
        "program": PROGRAM_BYTES,
        "needed": footprint.needed(),
        "machine": machine(report),
        "bounds": bounds(report),
        "lockable": report.lockable.as_ref().map(|lockable| lockable.most),
        "fits": report.budget.fits(footprint),
        "largest_context": report.largest,
        "largest_max_tokens": report.most_tokens(),
        "reread_per_token": report.budget.streamed(footprint).map_or(0, |streamed| streamed.per_token),
        "read_per_token": footprint.bytes_per_token(),
        "bandwidth": report.bandwidth,
        "estimated_tokens_per_second": report.tokens_per_second(),
        "kv_types": sizes(report.kv_types.iter().map(|&(kv_type, bytes)| (kv_type.name(), bytes))),
        "formats": sizes(report.formats.iter().map(|&(format, bytes)| (format.name(), bytes))),
        "planned_ms": report.planned.as_secs_f64() * 1e3,
    })
}

fn weights(report: &Report<'_>) -> Value {
    let group = |group: memory::WeightGroup| json!({"group": group.group, "type": group.ty, "tensors": group.tensors, "bytes": group.bytes});
    memory::weight_groups(report.file).into_iter().map(group).collect()
}

fn kv_layers(report: &Report<'_>) -> Value {
    let groups = memory::cache_groups(report.model.config(), &report.footprint.plan);
    let group = |group: memory::CacheGroup| json!({"kind": group.kind, "layers": group.layers, "positions": group.positions, "type": group.kv_type, "bytes": group.bytes});
    groups.into_iter().map(group).collect()
}

fn machine(report: &Report<'_>) -> Value {
    let machine = report.machine;
    let group = |group: &siskin::machine::Group| json!({"name": group.name, "limit": group.limit, "used": group.used, "swap_left": group.swap_left});
    let limit = |limit: Option<siskin::machine::Limit>| {
        limit.map(|limit| json!({"limit": limit.most, "used": limit.used}))
    };
    json!({
        "total": machine.total, "available": machine.available, "swap_free": machine.swap_free,
        "groups": machine.groups.iter().map(group).collect::<Value>(),
        "address_space": limit(machine.address_space), "addresses": limit(machine.addresses), "data": limit(machine.data), "locked": limit(machine.locked),
    })
}

fn bounds(report: &Report<'_>) -> Value {
    let bound = |bound: &memory::Bound| {
        let needed = bound.needed(&report.footprint);
        json!({"name": bound.name, "bytes": bound.bytes, "needed": needed, "fits": bound.allows(&report.footprint)})
    };
    report.budget.bounds().iter().map(bound).collect()
}

fn sizes(sizes: impl Iterator<Item = (&'static str, u64)>) -> Value {
    Value::Object(sizes.map(|(name, bytes)| (name.to_owned(), bytes.into())).collect())
}
