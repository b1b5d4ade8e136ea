/* SPDX-License-Identifier: MIT */
/*
 * meta.c: the first record of a journal: what was recorded, by whom, when.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "session/internal.h"

int session_text_record(struct buf *to, uint8_t type, const cJSON *json)
{
	char *text = cJSON_PrintUnformatted(json);
	struct ev_text t = { .h.type = type };
	size_t len;

	if (!text)
		return err_set(ERR_NOMEM, "a JSON text");
	len = strlen(text);
	t.len = len;
	t.h.size = EV_PAD8(sizeof(t) + len);
	buf_append(to, &t, sizeof(t));
	buf_append(to, text, len);
	buf_zero(to, t.h.size - sizeof(t) - len);
	free(text);
	return buf_check(to);
}

/* RFC 9562, version 7: milliseconds, then random bits. */
static void make_uuid(int64_t ms, char to[37])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t b[16];
	char *at = to;

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		memset(b, 0, sizeof(b));
	for (int i = 0; i < 6; i++)
		b[i] = ms >> (40 - 8 * i);
	b[6] = 0x70 | (b[6] & 0x0f);
	b[8] = 0x80 | (b[8] & 0x3f);
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = hex[b[i] >> 4];
		*at++ = hex[b[i] & 15];
	}
	*at = 0;
}

static void iso_time(int64_t ms, char *to, size_t cap)
{
	time_t t = ms / 1000;
	struct tm tm;
	size_t n;

	gmtime_r(&t, &tm);
	n = strftime(to, cap, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(to + n, cap - n, ".%03dZ", (int)(ms % 1000));
}

int session_write_meta(struct session *s)
{
	cJSON *json = cJSON_CreateObject();
	char uuid[37], when[40];
	int rc;

	make_uuid(s->since_ms, uuid);
	iso_time(s->since_ms, when, sizeof(when));
	cJSON_AddStringToObject(json, "program", s->program);
	cJSON_AddItemToObject(json, "args", cJSON_Duplicate(s->args, 1));
	cJSON_AddStringToObject(json, "workdir", s->workdir);
	cJSON_AddStringToObject(json, "recorder", "ctrec " CTREC_VERSION);
	cJSON_AddStringToObject(json, "recording_id", uuid);
	cJSON_AddNumberToObject(json, "pid", s->target->pid);
	cJSON_AddStringToObject(json, "python", s->info.version_text);
	cJSON_AddStringToObject(json, "interpreter", s->info.exe.path);
	cJSON_AddStringToObject(json, "probe", s->page ? "page" : "usdt");
	cJSON_AddStringToObject(json, "start_time", when);
	buf_clear(&s->defs);
	rc = session_text_record(&s->defs, EV_META, json);
	cJSON_Delete(json);
	if (rc == 0)
		rc = journal_define(s->journal, s->defs.data, s->defs.len);
	return rc;
}
