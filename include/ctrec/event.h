/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * event.h: the records that capture writes and everything else reads.
 *
 * The same records travel from a BPF program or a probe page through a ring to
 * the daemon, which appends them to the journal, and from there to the
 * assembler. All integers are little-endian; every record is a multiple of
 * eight bytes long and starts with struct ev_header. Sizes are asserted below:
 * a change of any of them is a change of EV_VERSION.
 *
 * Everything in a record comes from the target and is hostile input: a reader
 * checks each length against the record's size before it uses it.
 *
 * Identity. Addresses of code objects, types and frames are reused by CPython,
 * so none of them is an identity here. Code objects and types carry ids given
 * by capture for each (address, generation): at each use capture compares a
 * fingerprint, and a mismatch opens a new generation with a new id. Frames
 * carry a serial given at entry, unique in the session. Threads carry an index
 * given at their first event, bound to (tid, start time) by EV_THREAD.
 *
 * Order. `order` counts up by one, from 1, over all records of one session that
 * become part of the recording; a hole is a loss. Requests on the control ring
 * have 0, and so have records in the journal, where the position says it.
 */
#ifndef CTREC_EVENT_H
#define CTREC_EVENT_H

#ifndef __VMLINUX_H__
#include <stdint.h>
typedef uint8_t ev_u8;
typedef uint16_t ev_u16;
typedef uint32_t ev_u32;
typedef uint64_t ev_u64;
#else
typedef __u8 ev_u8;
typedef __u16 ev_u16;
typedef __u32 ev_u32;
typedef __u64 ev_u64;
#endif

#define EV_VERSION 1u

/* The largest record on any channel, header included. */
#define EV_MAX_RECORD 16384u
/* Bytes of variables one frame event may carry (design: budget per event). */
#define EV_MAX_VALUES 8192u
/* Objects one frame event may visit. */
#define EV_MAX_NODES 256u

enum ev_type {
	/* capture -> daemon, in the main ring, struct ev_frame follows */
	EV_LINE = 1,	/* a line is about to run */
	EV_ENTRY = 2,	/* a frame starts, or a generator/coroutine resumes */
	EV_RETURN = 3,	/* a frame leaves: return, yield, or unwinding (EVF_UNWIND) */
	/* capture -> daemon, main ring, own bodies */
	EV_OUTPUT = 4,	/* struct ev_output */
	EV_THREAD = 5,	/* struct ev_thread: first event of a thread, or a new name */
	EV_PROCESS = 6,	/* struct ev_process: exec, fork, exit */
	/* capture -> daemon, control ring; never in the journal */
	EV_NEWCODE = 16, /* struct ev_newcode */
	EV_NEWTYPE = 17, /* struct ev_newtype */
	EV_STOPPED = 18, /* struct ev_process: the target was stopped and waits for us */
	/* daemon -> journal */
	EV_GAP = 32,	 /* struct ev_gap: records that are missing here, and why */
	EV_DEFCODE = 33, /* struct ev_defcode */
	EV_DEFTYPE = 34, /* struct ev_deftype */
	EV_DEFSOURCE = 35, /* struct ev_defsource */
	EV_META = 36,	 /* struct ev_text: JSON about the session, first record of all */
	EV_END = 37,	 /* struct ev_text: JSON about how it ended, last record */
	EV_CHECKPOINT = 38, /* struct ev_checkpoint: deltas below it have no base above it */
};

/* ev_header.flags of EV_LINE, EV_ENTRY, EV_RETURN */
#define EVF_FULL 0x01	  /* the variables given are all there are: forget earlier ones (with
			   * EVF_CUT: as many as there was room for, the rest follows; keep them) */
#define EVF_UNWIND 0x02	  /* EV_RETURN: the frame leaves by an exception */
#define EVF_THROW 0x04	  /* EV_ENTRY: resumed by throw(); EV_SLOT_EXC is the exception */
#define EVF_NOVALUES 0x08 /* the plan came too late or names are withheld: no values here */
#define EVF_CUT 0x10	  /* the event's budget ended: some variables were not re-read */
#define EVF_LATE 0x20	  /* the frame's entry was not seen (attach, or a gap) */
#define EVF_RESUME 0x40	  /* EV_ENTRY: not at the start of the code (a generator resumes) */
#define EVF_NAMES 0x80	  /* variables are entries of a dict (module, class body, exec) */

struct ev_header {
	ev_u32 size;  /* bytes, header included, multiple of 8, <= EV_MAX_RECORD */
	ev_u8 type;   /* enum ev_type */
	ev_u8 flags;  /* EVF_* or the body's own */
	ev_u16 nvars; /* EV_LINE/ENTRY/RETURN: number of struct ev_var that follow */
	ev_u64 order;
};

/* EV_LINE, EV_ENTRY, EV_RETURN. nvars struct ev_var follow. */
struct ev_frame {
	struct ev_header h;
	ev_u64 frame;  /* serial of this activation */
	ev_u32 code;   /* id of the code object, see EV_DEFCODE */
	ev_u32 lasti;  /* byte offset of the instruction in the code's bytecode */
	ev_u32 thread; /* index of the thread, from 1, see EV_THREAD */
	ev_u32 depth;  /* recorded frames below this one on this thread, as capture counts */
	ev_u64 time;   /* CLOCK_MONOTONIC ns, or 0 where not taken */
};

/* One variable: the header, then `size` bytes of nodes (none with EVV_UNSET). */
struct ev_var {
	ev_u16 slot;  /* index in localsplus, or in the dict's entries (EVF_NAMES), or EV_SLOT_* */
	ev_u16 flags; /* EVV_* */
	ev_u32 size;  /* bytes of nodes, multiple of 8 */
};
#define EV_SLOT_RETURN 0xffffu /* the value returned or yielded */
#define EV_SLOT_EXC 0xfffeu    /* the exception that leaves or is thrown in */

#define EVV_UNSET 0x01 /* the variable has no value (any more) */
#define EVV_NAMED 0x02 /* EVF_NAMES: the first tree is the name (an EVN_STR), the second the value */
#define EVV_CUT 0x04   /* budget: parts of the value are EVN_SKIPPED */
#define EVV_REDACTED 0x08 /* the value was withheld at capture by a filter */

/*
 * A value is a tree written breadth first: the root node, then the children of
 * the root, then the children of the first of these, and so on. Each node is
 * one struct ev_node and a payload; a node says how many children it has, so a
 * reader hands out children in order of appearance.
 *
 * An instance of a subclass of int, str, tuple, dict … is written as its base's
 * node with EVNF_TYPED; its payload then starts with one ev_u64, the type's id.
 */
struct ev_node {
	ev_u8 kind;   /* enum ev_kind */
	ev_u8 flags;  /* EVNF_* */
	ev_u16 n;     /* units kept, per kind (see below) */
	ev_u32 total; /* units there were; total > n is a cut */
};

enum ev_kind {
	EVN_NULL = 0,	  /* an empty slot (a NULL inside a container, an unset __slots__ member) */
	EVN_NONE = 1,
	EVN_TRUE = 2,
	EVN_FALSE = 3,
	EVN_ELLIPSIS = 4,
	EVN_NOTIMPLEMENTED = 5,
	EVN_INT = 6,	   /* payload: int64 */
	EVN_BIGINT = 7,	   /* n, total: digits of 30 bits; payload: n ev_u32 digits, low first, padded to 8; EVNF_NEG */
	EVN_FLOAT = 8,	   /* payload: IEEE double */
	EVN_COMPLEX = 9,   /* payload: two doubles */
	EVN_STR = 10,	   /* n, total: code points; width in flags; payload: n*width bytes, padded to 8 */
	EVN_BYTES = 11,	   /* n, total: bytes; payload: n bytes, padded */
	EVN_BYTEARRAY = 12, /* as EVN_BYTES */
	/* containers: payload starts with the object's address (after the type id if EVNF_TYPED);
	 * n children (EVN_DICT: n pairs, 2n children: key, value, …) */
	EVN_LIST = 16,
	EVN_TUPLE = 17,
	EVN_SET = 18,
	EVN_FROZENSET = 19,
	EVN_DICT = 20,
	/* payload: address, then a word (always, whatever the flags): the type id, and in its
	 * upper half k. Children: one for each slot the type's definition lists (nslots there),
	 * one for each of the first k of its keys (EVN_NULL: not set), then n pairs key, value of
	 * its dict; none at all with EVNF_DEPTH. total: pairs there were. */
	EVN_OBJECT = 21,
	EVN_RANGE = 22, /* payload: address; 3 children: start, stop, step */
	EVN_SLICE = 23, /* payload: address; 3 children */
	EVN_CELL = 24,	/* payload: address; 1 child (EVN_NULL when empty) */
	/* by name: payload: address; 1 child: the qualified name (EVN_STR) */
	EVN_FUNCTION = 32,
	EVN_METHOD = 33,    /* child: the function's name; the receiver is not followed */
	EVN_MODULE = 34,
	EVN_CODE = 35,
	EVN_GENERATOR = 36,
	EVN_COROUTINE = 37,
	EVN_ASYNCGEN = 38,
	EVN_BUILTIN = 39,   /* no child: n bytes of C string, padded, after the address */
	EVN_CLASS = 40,	    /* payload: address, type id of the class itself; no child */
	/* the rest */
	EVN_OPAQUE = 48,    /* payload: address, type id (0: unknown); no child */
	EVN_UNREADABLE = 49, /* payload: address */
	EVN_SKIPPED = 50,   /* the event's budget ended before this node */
	EVN_REDACTED = 51,  /* withheld by a filter */
};

#define EVNF_TYPED 0x01	  /* payload starts with the id of the subclass */
#define EVNF_NEG 0x02	  /* EVN_BIGINT below zero */
#define EVNF_DEPTH 0x04	  /* children left out by the depth limit */
#define EVNF_PARTIAL 0x08 /* part of the content could not be read */
#define EVNF_WIDTH1 0x10  /* EVN_STR: one byte a code point (Latin-1) */
#define EVNF_WIDTH2 0x20  /* two */
#define EVNF_WIDTH4 0x40  /* four */

struct ev_output {
	struct ev_header h; /* flags: 1 stdout, 2 stderr, 0 stdin (then read by the program) */
	ev_u32 thread;	    /* as in ev_frame; 0 for a thread that ran no Python */
	ev_u32 fd;
	ev_u64 time;
	ev_u64 offset;	    /* bytes of this call that came before this piece */
	ev_u32 n;	    /* bytes here */
	ev_u32 total;	    /* bytes the whole call wrote */
	/* n bytes, padded */
};

struct ev_thread {
	struct ev_header h;
	ev_u32 thread;
	ev_u32 tid;   /* as the daemon's pid namespace numbers it */
	ev_u32 pid;   /* thread group */
	ev_u32 pad;
	ev_u64 start; /* start_boottime ns */
	char comm[16];
};

struct ev_process {
	struct ev_header h; /* flags: EVP_* */
	ev_u32 pid;
	ev_u32 other; /* EVP_FORK: the child */
	ev_u64 time;
	ev_u32 status; /* EVP_EXIT: as wait(2) gives it */
	ev_u32 pad;
};
#define EVP_EXEC 1
#define EVP_FORK 2
#define EVP_EXIT 3
#define EVP_ENTRYPOINT 4 /* stopped at the ELF entry point after exec */
#define EVP_FULLRING 5	 /* stopped until the ring is drained */
#define EVP_RUNMAIN 6	 /* interpreter start-up is over */

struct ev_newcode {
	struct ev_header h;
	ev_u64 addr;
	ev_u64 fingerprint;
	ev_u32 code; /* the id given to it */
	ev_u32 pid;
};

struct ev_newtype {
	struct ev_header h;
	ev_u64 addr;
	ev_u64 fingerprint;
	ev_u32 type_id;
	ev_u32 pid;
};

/* Reasons for losses and cuts, counted and shown by name (ev_gap_names). */
enum ev_gap_reason {
	EVG_RING_FULL = 1,    /* the ring was full although the target waited */
	EVG_UNREADABLE = 2,   /* memory that could not be read */
	EVG_PLAN_LATE = 3,    /* a code object's plan came too late: no values */
	EVG_TYPE_LATE = 4,    /* a type's description came too late: shown by address */
	EVG_BUDGET = 5,	      /* an event's budget ended */
	EVG_BAD_FRAME = 6,    /* the interpreter's frame could not be found */
	EVG_BAD_RECORD = 7,   /* a record that made no sense */
	EVG_JOURNAL = 8,      /* a damaged chunk of the journal */
	EVG_OUTPUT = 9,	      /* output bytes that could not be read */
	EVG_OUTPUT_UNSEEN = 10, /* sendfile, splice, io_uring */
	EVG_DISK = 11,	      /* no space left for the journal */
	EVG_MAX
};
#define EV_GAP_NAMES                                                                               \
	{ "none", "ring_full", "unreadable", "plan_late", "type_late", "budget", "bad_frame",     \
	  "bad_record", "journal", "output", "output_unseen", "disk" }

struct ev_gap {
	struct ev_header h;
	ev_u32 reason; /* enum ev_gap_reason */
	ev_u32 pad;
	ev_u64 count;  /* records (or pieces) of this reason since the last EV_GAP of it */
};

/*
 * A code object. Strings and arrays follow in the order of their lengths, each
 * padded to 8 bytes: filename, name, qualname (UTF-8), linetable (the
 * interpreter's own bytes: co_linetable, or co_lnotab for 3.8 and 3.9),
 * bytecode (un-quickened as far as known), kinds (one byte a localsplus slot:
 * CPython's CO_FAST_* bits), names (nlocalsplus zero-terminated UTF-8 strings).
 */
struct ev_defcode {
	struct ev_header h;
	ev_u32 code;
	ev_u32 flags;	   /* co_flags */
	ev_u32 firstlineno;
	ev_u32 argcount;   /* co_argcount, positional-only included */
	ev_u32 kwonlyargcount;
	ev_u32 nlocalsplus;
	ev_u32 python;	   /* (major << 8) | minor: how to read the tables */
	ev_u32 plan;	   /* EVC_* */
	ev_u32 filename_len, name_len, qualname_len, linetable_len;
	ev_u32 bytecode_len, kinds_len, names_len, pad;
};
#define EVC_SKIP 1    /* not recorded */
#define EVC_PARTIAL 2 /* something of it could not be read */
#define EVC_EXACT 4   /* its events are those sys.settrace has: nothing is to be corrected */

/*
 * A type. name and module (UTF-8, padded), then nfields + nkeys zero-terminated
 * names, padded as one block of fields_len bytes: the names of the nslots
 * member slots in order for EVT_SLOTS, or a named tuple's fields; then the
 * attributes that its instances share the order of (the type's cached keys).
 */
struct ev_deftype {
	struct ev_header h;
	ev_u32 type_id;
	ev_u32 flags; /* EVT_* */
	ev_u32 nslots;
	ev_u32 nfields;
	ev_u32 name_len, module_len, fields_len;
	ev_u32 nkeys;
};
#define EVT_SLOTS 1
#define EVT_NAMEDTUPLE 2
#define EVT_ENUM 4
#define EVT_EXCEPTION 8 /* its EVN_OBJECT has slot 0 = args */

/* The source text of a file as it was when its first code object was seen.
 * path (padded), then text. May be larger than EV_MAX_RECORD (journal only). */
struct ev_defsource {
	struct ev_header h;
	ev_u32 path_len;
	ev_u32 text_len;
};

struct ev_text {
	struct ev_header h;
	ev_u32 len;
	ev_u32 pad;
	/* len bytes of UTF-8, padded */
};

/*
 * Written every so often and after each gap: all frames that are open now, each
 * thread's from the bottom up. From here on the first event of each frame is
 * EVF_FULL, so that a reader may start here.
 */
struct ev_checkpoint {
	struct ev_header h;
	ev_u64 time;
	ev_u32 nframes;
	ev_u32 pad;
	/* nframes struct ev_openframe */
};

struct ev_openframe {
	ev_u64 frame;
	ev_u32 code;
	ev_u32 thread;
	ev_u32 lasti; /* of its last event */
	ev_u32 pad;
};

#define EV_PAD8(n) (((n) + 7u) & ~7u)

_Static_assert(sizeof(struct ev_header) == 16, "ev_header");
_Static_assert(sizeof(struct ev_frame) == 48, "ev_frame");
_Static_assert(sizeof(struct ev_var) == 8, "ev_var");
_Static_assert(sizeof(struct ev_node) == 8, "ev_node");
_Static_assert(sizeof(struct ev_output) == 48, "ev_output");
_Static_assert(sizeof(struct ev_thread) == 56, "ev_thread");
_Static_assert(sizeof(struct ev_process) == 40, "ev_process");
_Static_assert(sizeof(struct ev_newcode) == 40, "ev_newcode");
_Static_assert(sizeof(struct ev_newtype) == 40, "ev_newtype");
_Static_assert(sizeof(struct ev_gap) == 32, "ev_gap");
_Static_assert(sizeof(struct ev_defcode) == 80, "ev_defcode");
_Static_assert(sizeof(struct ev_deftype) == 48, "ev_deftype");

#endif
