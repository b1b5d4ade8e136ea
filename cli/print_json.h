/* SPDX-License-Identifier: MIT */
/*
 * print_json.h: a trace as JSON, for programs.
 */
#ifndef CLI_PRINT_JSON_H
#define CLI_PRINT_JSON_H

#include "print_out.h"
#include "trace/ct_reader.h"

/* JSON lines: what stands beside the steps, then everything in order, as
 * CodeTracer's ct-print --events has it. limit: steps, 0 for all. */
int print_events(struct ct_reader *r, uint64_t limit, struct print_out *o);
/* One JSON object of counts and losses; reads no stream. */
int print_summary(struct ct_reader *r, struct print_out *o);
/* One value; what can't be decoded is shown as {"kind":"Undecodable",…}. Returns
 * the value's type, 0 if it can't be decoded. */
uint64_t print_json_value(struct buf *b, struct cbor_in cbor);

#endif
