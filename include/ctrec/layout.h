/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * layout.h: where things lie in a CPython process, and what capture was told
 * about its code objects and types. Shared by capture (BPF, page) and daemon.
 *
 * Offsets are bytes from the start of the struct they are named after. One
 * table for each minor version (daemon/python/layout.c), each checked against
 * the interpreter's own headers by a test; field facts from CPython 3.11.2
 * Include/internal/pycore_frame.h, pycore_global_objects.h, pycore_dict.h, pycore_code.h, cpython/code.h,
 * cpython/pystate.h.
 */
#ifndef CTREC_LAYOUT_H
#define CTREC_LAYOUT_H

#include "event.h"

struct ctrec_layout {
	ev_u32 python; /* (major << 8) | minor; 0: no layout */
	ev_u16 runtime_tstate_current; /* _PyRuntime.gilstate.tstate_current */
	ev_u16 runtime_small_ints; /* the static ints from -5 to 256; 0: not static */
	ev_u16 tstate_cframe;
	ev_u16 cframe_current_frame;
	ev_u16 tstate_curexc_type;
	ev_u16 tstate_curexc_value;

	ev_u16 frame_func;
	ev_u16 frame_globals;
	ev_u16 frame_builtins;
	ev_u16 frame_locals;
	ev_u16 frame_code;
	ev_u16 frame_frame_obj;
	ev_u16 frame_previous;
	ev_u16 frame_prev_instr;
	ev_u16 frame_stacktop;	 /* int */
	ev_u16 frame_localsplus;

	ev_u16 code_consts;
	ev_u16 code_names;
	ev_u16 code_exceptiontable;
	ev_u16 code_flags;
	ev_u16 code_argcount;
	ev_u16 code_posonlyargcount;
	ev_u16 code_kwonlyargcount;
	ev_u16 code_stacksize;
	ev_u16 code_firstlineno;
	ev_u16 code_nlocalsplus;
	ev_u16 code_nlocals;
	ev_u16 code_ncellvars;
	ev_u16 code_nfreevars;
	ev_u16 code_localsplusnames;
	ev_u16 code_localspluskinds;
	ev_u16 code_filename;
	ev_u16 code_name;
	ev_u16 code_qualname;
	ev_u16 code_linetable;
	ev_u16 code_firsttraceable; /* _co_firsttraceable */
	ev_u16 code_code;	    /* co_code_adaptive: first instruction */
	ev_u16 code_size;	    /* ob_size of code: instructions */

	ev_u16 type_name;
	ev_u16 type_basicsize;
	ev_u16 type_itemsize;
	ev_u16 type_flags;
	ev_u16 type_dict;
	ev_u16 type_dictoffset;
	ev_u16 type_base;
	ev_u16 type_mro;
	ev_u16 type_members;	/* tp_members */
	ev_u16 heaptype_name;
	ev_u16 heaptype_qualname;
	ev_u16 heaptype_cached_keys;
	ev_u16 heaptype_size;

	ev_u16 long_size;  /* ob_size: sign and digit count (<= 3.11) */
	ev_u16 long_digit;
	ev_u16 float_value;
	ev_u16 complex_value;
	ev_u16 bytes_size, bytes_data;
	ev_u16 bytearray_size, bytearray_start;
	ev_u16 str_length, str_hash, str_state, str_ascii_data, str_compact_data, str_any;
	ev_u16 list_size, list_items;
	ev_u16 tuple_size, tuple_items;
	ev_u16 set_used, set_mask, set_table;
	ev_u16 setentry_size;
	ev_u16 dict_used, dict_keys, dict_values;
	ev_u16 keys_log2_size, keys_log2_index_bytes, keys_kind, keys_nentries, keys_indices;
	ev_u16 cell_value;
	ev_u16 func_qualname, method_func, cfunction_def, methoddef_name;
	ev_u16 module_name, gen_qualname;
	ev_u16 range_start; /* start, stop, step follow one another */
	ev_u16 slice_start; /* likewise */
	ev_u16 exc_args;
	ev_u16 object_values; /* managed values pointer lies this many bytes BEFORE the object */
	ev_u16 object_dict;   /* managed dict pointer likewise */
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

/* Value of the map `codes`, keyed by the code object's address. */
struct ctrec_codeplan {
	ev_u64 fingerprint;
	ev_u32 id;
	ev_u32 state;	    /* enum ctrec_plan_state; written last */
	ev_u32 flags;	    /* PLANC_* */
	ev_u16 nlocalsplus;
	ev_u16 nargs;	    /* slots that hold arguments at entry, *args and **kwargs included */
	ev_u64 cellmask;    /* slot i < 64 holds a cell (CO_FAST_CELL or CO_FAST_FREE) */
	ev_u32 firsttraceable; /* instruction index of the first RESUME */
	ev_u32 pad;
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

/* Value of the map `types`, keyed by the type object's address. */
struct ctrec_typeplan {
	ev_u64 fingerprint;
	ev_u32 id;
	ev_u32 state;	   /* enum ctrec_plan_state; written last */
	ev_u8 kind;	   /* enum ctrec_typekind */
	ev_u8 managed;	   /* the instance has a managed dict (Py_TPFLAGS_MANAGED_DICT) */
	ev_u16 nslots;
	ev_u32 dictoffset; /* of a plain __dict__ pointer; 0: none */
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
