/* SPDX-License-Identifier: MIT */
#include "session/spare.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "util/err.h"
#include "util/log.h"

#define AWAITED (-15) /* nice, where that is permitted */

struct spare {
	pthread_mutex_t lock;
	pthread_cond_t done;
	struct capture *ready;
	bool loading;
	pid_t loader; /* its thread id */
	unsigned awaited;
};

static void *load(void *spare)
{
	struct spare *s = spare;
	struct capture *c = NULL;

	pthread_mutex_lock(&s->lock);
	s->loader = gettid();
	if (s->awaited)
		setpriority(PRIO_PROCESS, s->loader, AWAITED);
	pthread_mutex_unlock(&s->lock);
	if (capture_new(&c) < 0)
		log_error("loading ahead"); /* who needs one will try, and be told why */
	pthread_mutex_lock(&s->lock);
	s->ready = c;
	s->loading = false;
	s->loader = 0;
	pthread_cond_broadcast(&s->done);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

void spare_prepare(struct spare *s)
{
	pthread_attr_t attr;
	pthread_t thread;

	if (!s)
		return;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_mutex_lock(&s->lock);
	if (!s->ready && !s->loading)
		s->loading = pthread_create(&thread, &attr, load, s) == 0;
	pthread_mutex_unlock(&s->lock);
	pthread_attr_destroy(&attr);
}

int spare_take(struct spare *s, struct capture **ret)
{
	struct capture *c = NULL;

	if (s) {
		pthread_mutex_lock(&s->lock);
		s->awaited++;
		if (s->loader)
			setpriority(PRIO_PROCESS, s->loader, AWAITED);
		while (s->loading && !s->ready)
			pthread_cond_wait(&s->done, &s->lock);
		s->awaited--;
		c = s->ready;
		s->ready = NULL;
		pthread_mutex_unlock(&s->lock);
	}
	*ret = c;
	return c ? 0 : capture_new(ret);
}

int spare_new(struct spare **ret)
{
	struct spare *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(ERR_NOMEM, "a spare");
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->done, NULL);
	spare_prepare(s);
	*ret = s;
	return 0;
}

struct spare *spare_free(struct spare *s)
{
	if (!s)
		return NULL;
	pthread_mutex_lock(&s->lock);
	while (s->loading)
		pthread_cond_wait(&s->done, &s->lock);
	pthread_mutex_unlock(&s->lock);
	capture_free(s->ready);
	pthread_cond_destroy(&s->done);
	pthread_mutex_destroy(&s->lock);
	free(s);
	return NULL;
}
