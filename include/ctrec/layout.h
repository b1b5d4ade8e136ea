/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * layout.h: where things lie in a CPython process, and what capture was told
 * about its code objects and types. Shared by capture (BPF, page) and daemon.
 *
 * Offsets are bytes from the start of the struct they are named after; 0 where
 * a version has no such field (no field meant here lies at 0 but those marked
 * so). One table for each minor version, 3.8 to 3.14 (daemon/python/layout*.c),
 * each checked against the interpreter's own headers by a test. What is not an
 * offset but a shape is one of the CTL_* values below. docs/adding-a-python.md
 * says how to add a version; the facts are those of Include/internal/ and
 * Include/cpython/ of each version, release builds with a GIL on x86-64.
 */
#ifndef CTREC_LAYOUT_H
#define CTREC_LAYOUT_H

#include "event.h"

/* frame_kind */
#define CTL_FRAME_OBJECT 1 /* <= 3.10: a frame is a PyFrameObject */
#define CTL_FRAME_INTERP 2 /* 3.11+: _PyInterpreterFrame; cells lie in their variable's slot */

/* lasti_kind: what lies at frame_prev_instr */
#define CTL_LASTI_BYTES 1   /* 3.8, 3.9: int f_lasti, bytes; -1: not started */
#define CTL_LASTI_UNITS 2   /* 3.10: int f_lasti, instructions (2 bytes); -1: not started */
#define CTL_LASTI_PREV 3    /* 3.11, 3.12: prev_instr, the unit before the next one */
#define CTL_LASTI_CURRENT 4 /* 3.13+: instr_ptr, the instruction that runs or is about to */

/* stack_kind: what lies at frame_stacktop */
#define CTL_STACK_ABSENT 1  /* 3.8, 3.9: f_stacktop, a pointer, NULL while the frame runs */
#define CTL_STACK_DEPTH 2   /* 3.10: int f_stackdepth, words above *frame_valuestack */
#define CTL_STACK_INDEX 3   /* 3.11 to 3.13: int stacktop, words from localsplus on */
#define CTL_STACK_POINTER 4 /* 3.14: stackpointer, first free word */

/* long_kind: what lies at long_size */
#define CTL_LONG_SIZE 1 /* <= 3.11: ob_size: digits, its sign the number's */
#define CTL_LONG_TAG 2	/* 3.12+: lv_tag: digits << 3 | sign in two bits (0 positive, 1 zero, 2 negative) */

/* keys_form */
#define CTL_KEYS_SIZE 1 /* <= 3.10: an index of dk_size entries, of 1, 2, 4 or 8 bytes, the fewest that hold
			 * dk_size; then entries of 24 bytes: hash, key, value */
#define CTL_KEYS_LOG2 2 /* 3.11+: an index of 1 << dk_log2_index_bytes bytes; then entries of 24 bytes
			 * when dk_kind is 0, else of 16: key, value */

/* instance_kind: attributes of an instance of a type with Py_TPFLAGS_MANAGED_DICT */
#define CTL_INSTANCE_PLAIN 1  /* <= 3.10: no such types, tp_dictoffset alone counts */
#define CTL_INSTANCE_BEFORE 2 /* 3.11: values at -object_values, else dict at -object_dict */
#define CTL_INSTANCE_TAGGED 3 /* 3.12: word at -object_dict: odd: values at word + 1, even: a dict */
#define CTL_INSTANCE_INLINE 4 /* 3.13+: dict at -object_dict; when NULL, and the type is CTM_INLINE
			       * (bit 2 of tp_flags): values at +tp_basicsize, if their valid byte is not 0 */

/* code_form */
#define CTL_CODE_BYTES 1  /* <= 3.10: co_code, a bytes object, at code_code */
#define CTL_CODE_INLINE 2 /* 3.11+: instructions from code_code on, code_size of them */

struct ctrec_layout {
	ev_u32 python; /* (major << 8) | minor; 0: no layout */
	ev_u32 runtime_small_ints; /* the static ints from -5 to 256 (3.11+); 0: not static */
	ev_u16 small_int_size;	   /* bytes from one of them to the next */
	ev_u16 frame_kind, lasti_kind, stack_kind, long_kind, keys_form, instance_kind, code_form;

	/* threads */
	ev_u16 runtime_tstate_current; /* _PyRuntime.gilstate.tstate_current; 3.12+: 0, thread-local */
	ev_u16 runtime_interpreters_head, runtime_interpreters_main;
	ev_u16 runtime_gil;	/* <= 3.11: struct _gil_runtime_state inside _PyRuntime */
	ev_u16 interp_gil;	/* 3.12+: pointer to the interpreter's struct _gil_runtime_state */
	ev_u16 gil_last_holder, gil_locked, gil_mutex;
	ev_u16 gil_to_pending_lock; /* 3.12+: from interp_gil to the lock of the pending calls: 3.12 a
				     * pointer to a semaphore, 3.13+ a PyMutex (a byte) */
	ev_u16 interp_next, interp_threads_head, interp_id; /* interp_next is at 0 up to 3.12 */
	ev_u16 tstate_prev, tstate_next, tstate_interp;	    /* tstate_prev is at 0 */
	ev_u16 tstate_thread_id, tstate_native_thread_id;   /* native: 3.11+ */
	ev_u16 tstate_frame;	/* the frame itself: <= 3.10, 3.13+; 0: through the cframe */
	ev_u16 tstate_cframe;	/* 3.10 (tracing only) to 3.12 */
	ev_u16 cframe_current_frame; /* 3.11, 3.12 (there at 0) */
	ev_u16 tstate_curexc_type, tstate_curexc_value; /* <= 3.11 */
	ev_u16 tstate_current_exception;		/* 3.12+: the exception, its class is its type */
	/* how a C trace function is armed (<= 3.11) */
	ev_u16 tstate_tracing, tstate_c_tracefunc, tstate_c_traceobj;
	ev_u16 tstate_use_tracing;	  /* 3.8, 3.9: int, 1 */
	ev_u16 cframe_use_tracing;	  /* 3.10: int, 1, at 0; 3.11: u8, 255, at 0 */
	ev_u16 runtime_tracing_possible;  /* 3.8: int, one up for each armed thread */
	ev_u16 interp_tracing_possible;	  /* 3.9 */

	/* frames */
	ev_u16 frame_func;     /* 3.11+ */
	ev_u16 frame_globals;
	ev_u16 frame_builtins;
	ev_u16 frame_locals;
	ev_u16 frame_code;     /* 3.13+: f_executable, not always a code object; may be at 0 */
	ev_u16 frame_frame_obj; /* 3.11+: the PyFrameObject, if one was asked for */
	ev_u16 frame_previous;
	ev_u16 frame_prev_instr; /* by lasti_kind */
	ev_u16 frame_stacktop;	 /* by stack_kind */
	ev_u16 frame_valuestack; /* <= 3.10: pointer to the first word of the stack */
	ev_u16 frame_localsplus;
	ev_u16 frame_owner;	 /* 3.11+: a byte */
	ev_u16 frame_owner_none; /* 3.12+: owners from here on: an entry frame, runs no code, skip it */
	ev_u16 frame_ref_mask;	 /* 3.14: bits to clear in frame_code, _func and localsplus' words */
	ev_u16 frame_gen;	 /* <= 3.10: f_gen, the generator; 3.11+: 0, gen_frame lies in it */
	ev_u16 frameobj_frame;	 /* 3.11+: PyFrameObject.f_frame */

	/* code objects */
	ev_u16 code_consts;
	ev_u16 code_names;
	ev_u16 code_exceptiontable;
	ev_u16 code_flags;
	ev_u16 code_argcount;
	ev_u16 code_posonlyargcount;
	ev_u16 code_kwonlyargcount;
	ev_u16 code_stacksize;
	ev_u16 code_firstlineno;
	ev_u16 code_nlocalsplus; /* 3.11+ */
	ev_u16 code_nlocals;
	ev_u16 code_ncellvars;	/* 3.11+ */
	ev_u16 code_nfreevars;	/* 3.11+ */
	ev_u16 code_localsplusnames; /* 3.11+ */
	ev_u16 code_localspluskinds; /* 3.11+ */
	ev_u16 code_varnames, code_cellvars, code_freevars, code_cell2arg; /* <= 3.10 */
	ev_u16 code_filename;
	ev_u16 code_name;
	ev_u16 code_qualname;	/* 3.11+ */
	ev_u16 code_linetable;	/* 3.8, 3.9: co_lnotab */
	ev_u16 code_firsttraceable; /* 3.11+: _co_firsttraceable */
	ev_u16 code_monitoring; /* 3.12+: _co_monitoring, originals of instrumented instructions */
	ev_u16 monitoring_lines, monitoring_opcodes; /* pointers in it: by line, by instruction */
	ev_u16 code_code;	/* by code_form */
	ev_u16 code_size;	/* 3.11+: ob_size of code: instructions */
	ev_u16 code_basicsize;	/* bytes of the struct before the instructions */

	/* types */
	ev_u16 type_name;
	ev_u16 type_basicsize;
	ev_u16 type_itemsize;
	ev_u16 type_flags;
	ev_u16 type_dict;	/* 3.12+: NULL in static builtin types */
	ev_u16 type_dictoffset;
	ev_u16 type_base;
	ev_u16 type_mro;
	ev_u16 type_members;	/* tp_members */
	ev_u16 heaptype_name;
	ev_u16 heaptype_qualname;
	ev_u16 heaptype_cached_keys;
	ev_u16 heaptype_size;

	/* objects */
	ev_u16 long_size;  /* by long_kind */
	ev_u16 long_digit;
	ev_u16 float_value;
	ev_u16 complex_value;
	ev_u16 bytes_size, bytes_data;
	ev_u16 bytearray_size, bytearray_start;
	ev_u16 str_length, str_hash, str_state, str_ascii_data, str_compact_data, str_any;
	/* bits in the 32-bit word at str_state: kind (3 bits: bytes a code point; 0: not ready), flags */
	ev_u16 str_kind_shift, str_compact_shift, str_ascii_shift;
	ev_u16 list_size, list_items;
	ev_u16 tuple_size, tuple_items;
	ev_u16 set_used, set_mask, set_table;
	ev_u16 setentry_size, setentry_hash; /* key at 0; a hash of -1 is a deleted entry's */
	ev_u16 dict_used, dict_keys, dict_values;
	ev_u16 keys_size; /* <= 3.10 */
	ev_u16 keys_log2_size, keys_log2_index_bytes, keys_kind; /* 3.11+: a byte each */
	ev_u16 keys_nentries, keys_indices;
	ev_u16 values_first;   /* first PyObject * of a split table's values; at 0 up to 3.12 */
	ev_u16 values_valid;   /* 3.13+: byte, inline values hold the attributes */
	ev_u16 cell_value;
	ev_u16 func_code, func_name, func_qualname, method_func, method_self;
	ev_u16 cfunction_def, methoddef_name; /* methoddef_name is at 0 */
	ev_u16 module_name, module_dict;
	ev_u16 gen_name, gen_qualname;
	ev_u16 gen_frame;	/* <= 3.10: pointer, NULL when done; 3.11+: the frame itself begins there */
	ev_u16 gen_frame_state; /* 3.11+: signed byte, gen_frame holds a frame below gen_state_cleared */
	ev_u16 gen_state_cleared; /* FRAME_CLEARED */
	ev_u16 range_start; /* start, stop, step follow one another */
	ev_u16 slice_start; /* likewise */
	ev_u16 exc_args;
	ev_u16 object_values; /* by instance_kind: this many bytes BEFORE the object */
	ev_u16 object_dict;   /* likewise */
};

/* Static objects and types capture tells apart by address; 0: not known. */
enum ctrec_static {
	CS_None, CS_True, CS_False, CS_Ellipsis, CS_NotImplemented, CS_setdummy,
	CS_long, CS_bool, CS_float, CS_complex, CS_str, CS_bytes, CS_bytearray,
	CS_list, CS_tuple, CS_dict, CS_set, CS_frozenset, CS_range, CS_slice, CS_cell,
	CS_function, CS_method, CS_cfunction, CS_module, CS_code, CS_generator,
	CS_coroutine, CS_asyncgen, CS_type, CS_object,
	CS_MAX
};

enum ctrec_plan_state { PLAN_PENDING = 0, PLAN_READY = 1, PLAN_FAILED = 2 };

#define PLANC_SKIP 1   /* do not record frames of this code */
#define PLANC_NAMES 2  /* variables live in f_locals, a dict (not CO_OPTIMIZED) */
#define PLANC_GENERATOR 4
#define PLANC_MODULE 8 /* co_name is <module>: names without dunders */

#define CTREC_CELLARGS 16

/* Value of the map `codes`, keyed by the code object's address. */
struct ctrec_codeplan {
	ev_u64 fingerprint;
	ev_u32 id;
	ev_u32 state;	    /* enum ctrec_plan_state; written last */
	ev_u32 flags;	    /* PLANC_* */
	ev_u16 nlocalsplus;
	ev_u16 nargs;	    /* slots that hold arguments at entry, *args and **kwargs included */
	ev_u64 cellmask;    /* slot i < 64 holds a cell (CO_FAST_CELL or CO_FAST_FREE) */
	ev_u32 firsttraceable; /* instruction index of the first RESUME; 0 before 3.11 */
	ev_u16 cellfirst;   /* 3.8 to 3.10: first slot of a cell of its own (see cellargs) */
	ev_u16 pad;
	/*
	 * Up to 3.10 an argument that an inner function uses is moved at entry into
	 * a cell behind the locals; its own slot is NULL from then on. cellargs[k]:
	 * slot + 1 of the argument in the cell at slot cellfirst + k, 0: none. The
	 * walker reads such an argument from that cell, sends it under the argument's
	 * slot, and sends no slot cellfirst + k. An argument's cell beyond these
	 * sixteen goes under its own slot, which has the argument's name too.
	 */
	ev_u8 cellargs[CTREC_CELLARGS];
};

/* What lines of a code object may store (daemon/python/stores.h). */
#define CTREC_STORES 64
#define CTREC_STORES_AT(lasti) ((lasti) >> 1 & (CTREC_STORES - 1))
struct ctrec_stores {
	ev_u32 mask[CTREC_STORES];
};

#define CTREC_MAX_SLOTS 24
enum ctrec_typekind {
	CTK_OPAQUE = 0,	    /* by name and address */
	CTK_OBJECT = 1,	    /* slots, then dict */
	/* an instance is read as this builtin, EVNF_TYPED */
	CTK_LONG = 2, CTK_STR, CTK_BYTES, CTK_BYTEARRAY, CTK_FLOAT, CTK_COMPLEX, CTK_LIST,
	CTK_TUPLE, CTK_DICT, CTK_SET, CTK_FROZENSET, CTK_CLASS /* a metaclass's instance */,
	CTK_MODULE,
};

#define CTM_DICT 1   /* Py_TPFLAGS_MANAGED_DICT */
#define CTM_INLINE 2 /* and Py_TPFLAGS_INLINE_VALUES (3.13+) */

/* Value of the map `types`, keyed by the type object's address. */
struct ctrec_typeplan {
	ev_u64 fingerprint;
	ev_u32 id;
	ev_u32 state;	   /* enum ctrec_plan_state; written last */
	ev_u8 kind;	   /* enum ctrec_typekind */
	ev_u8 managed;	   /* CTM_*: the instance has a managed dict, see instance_kind; 0: not */
	ev_u16 nslots;
	ev_u32 dictoffset; /* of a plain __dict__ pointer, 0: none; with CTM_INLINE of the inline values */
	ev_u16 nkeys;	   /* shared keys that the definition names */
	ev_u16 outgrown;   /* capture's: instances seen with more of them */
	ev_u16 slots[CTREC_MAX_SLOTS]; /* byte offsets of T_OBJECT / T_OBJECT_EX members */
};

/* Ceilings set by the user (--max-depth, --max-items, --max-string). */
struct ctrec_limits {
	ev_u32 depth;  /* levels of containers below a variable */
	ev_u32 items;  /* elements of one container, <= 4096 */
	ev_u32 string; /* bytes of one str or bytes, <= 4096 */
	ev_u32 nodes;  /* objects an event may visit, <= EV_MAX_NODES */
};

#endif
