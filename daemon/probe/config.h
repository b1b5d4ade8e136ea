/* SPDX-License-Identifier: MIT */
/*
 * config.h: what every kind of capture is told about an interpreter.
 */
#ifndef PROBE_CONFIG_H
#define PROBE_CONFIG_H

#include "bpf/config.h"
#include "target/target.h"

/* Waits and what else depends neither on the interpreter nor on what is asked for. */
void config_init(struct rec_config *cfg, uint64_t ring_bytes);
/* Layout, static objects and types, addresses. 0, -ERR_TARGET_LAYOUT. */
int config_python(struct rec_config *cfg, const struct python_info *info, const struct ctrec_layout *l);

#endif
