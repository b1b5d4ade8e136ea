/* SPDX-License-Identifier: MIT */
#include "probe/config.h"

#include <string.h>

#include "util/err.h"

#define SMALL_INT_SIZE 32 /* what the walker counts on (bpf/snapshot.h) */

void config_init(struct rec_config *cfg, uint64_t ring_bytes)
{
	cfg->ring_high = ring_bytes / 4 * 3;
	cfg->ring_wake = ring_bytes / 8;
	cfg->wait_ns = 10 * 1000 * 1000;
	cfg->plan_ns = 500 * 1000 * 1000;
	cfg->static_mul = 1;
	cfg->small_ints = ~0ull;
}

/* A multiplier under which no two static addresses share a slot. */
static int hash_statics(struct rec_config *cfg, const struct python_info *info)
{
	uint64_t mul = 0x9e3779b97f4a7c15ull;

	for (int tries = 0; tries < 1000000; tries++) {
		int clash = 0;

		memset(cfg->statics, 0, sizeof(cfg->statics));
		for (int i = 0; i < CS_MAX && !clash; i++) {
			struct rec_static *s;

			if (!info->statics[i])
				continue;
			s = &cfg->statics[(info->statics[i] * mul) >> 57];
			clash = s->addr != 0;
			s->addr = info->statics[i];
			s->kind = i + 1;
		}
		if (!clash) {
			cfg->static_mul = mul;
			return 0;
		}
		mul = mul * 6364136223846793005ull + 1442695040888963407ull;
		mul |= 1;
	}
	return err_set(ERR_TARGET_LAYOUT, "its static types can't be told apart");
}

int config_python(struct rec_config *cfg, const struct python_info *info, const struct ctrec_layout *l)
{
	cfg->layout = *l;
	cfg->runtime = info->runtime;
	if (l->runtime_small_ints && l->small_int_size == SMALL_INT_SIZE)
		cfg->small_ints = info->runtime + l->runtime_small_ints;
	return hash_statics(cfg, info);
}
