// SPDX-License-Identifier: MIT
// stdin: { u32 length, CBOR } …; stdout: a line each, what CodeTracer's type makes of it, as JSON, or {"refused": why}.
use codetracer_trace_types::ValueRecord;
use std::io::{Read, Write};

fn main() -> std::io::Result<()> {
    let mut all = Vec::new();
    std::io::stdin().read_to_end(&mut all)?;
    let mut out = std::io::BufWriter::new(std::io::stdout());
    let mut rest = &all[..];
    while let Some((length, from)) = rest.split_first_chunk::<4>() {
        let (value, after) = from.split_at(u32::from_le_bytes(*length) as usize);
        let said = match cbor4ii::serde::from_reader::<ValueRecord, _>(value) {
            Ok(v) => serde_json::to_value(v)?,
            Err(e) => serde_json::json!({ "refused": e.to_string() }),
        };
        writeln!(out, "{said}")?;
        rest = after;
    }
    out.flush()
}
