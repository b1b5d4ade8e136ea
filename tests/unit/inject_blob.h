/* SPDX-License-Identifier: MIT */
/* inject_blob.h: the shared data of the counting page. */
#ifndef INJECT_BLOB_H
#define INJECT_BLOB_H

#include "page/page.h"

struct blob_data {
	ev_u64 on;
	ev_u64 code; /* the code object whose events are counted apart */
	struct { ev_u64 frameobj_frame, frame_code; } l;
	ev_u64 all[PAGE_EVENTS];     /* by `what` up to 3.11, then by enum page_event */
	ev_u64 of_code[PAGE_EVENTS];
};

#endif
