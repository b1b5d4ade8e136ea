/* SPDX-License-Identifier: MIT */
/*
 * layout_offsets_311.c: the 3.11 table against CPython 3.11's own headers.
 *
 * Built with the include folders of a 3.11 (python3.11-config --includes); each
 * entry is compared with what offsetof says. With an argument it prints the
 * entries as initialisers instead, for a new table. One struct is private to a
 * .c file of CPython and is mirrored here.
 */
#define Py_BUILD_CORE 1
#include <Python.h>
#include <structmember.h>

#include <internal/pycore_code.h>
#include <internal/pycore_dict.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_moduleobject.h>
#include <internal/pycore_runtime.h>

/* libelf's and CPython's names do not meet: only the layout is taken from ctrec. */
#include "ctrec/layout.h"

const struct ctrec_layout *python_layout(unsigned version);

#if PY_VERSION_HEX >> 16 != 0x030b
#error "this test is for the headers of CPython 3.11"
#endif

/* Objects/rangeobject.c */
struct range_mirror {
	PyObject_HEAD
	PyObject *start, *stop, *step, *length;
};

#define F(field, value) { #field, offsetof(struct ctrec_layout, field), (unsigned)(value) }
#define O(type, member) offsetof(type, member)

static const struct {
	const char *name;
	size_t at;
	unsigned value;
} entry[] = {
	F(runtime_small_ints, O(_PyRuntimeState, global_objects.singletons.small_ints)),
	F(runtime_tstate_current, O(_PyRuntimeState, gilstate.tstate_current)),
	F(tstate_cframe, O(PyThreadState, cframe)),
	F(cframe_current_frame, O(_PyCFrame, current_frame)),
	F(tstate_curexc_type, O(PyThreadState, curexc_type)),
	F(tstate_curexc_value, O(PyThreadState, curexc_value)),
	F(frame_func, O(_PyInterpreterFrame, f_func)),
	F(frame_globals, O(_PyInterpreterFrame, f_globals)),
	F(frame_builtins, O(_PyInterpreterFrame, f_builtins)),
	F(frame_locals, O(_PyInterpreterFrame, f_locals)),
	F(frame_code, O(_PyInterpreterFrame, f_code)),
	F(frame_frame_obj, O(_PyInterpreterFrame, frame_obj)),
	F(frame_previous, O(_PyInterpreterFrame, previous)),
	F(frame_prev_instr, O(_PyInterpreterFrame, prev_instr)),
	F(frame_stacktop, O(_PyInterpreterFrame, stacktop)),
	F(frame_localsplus, O(_PyInterpreterFrame, localsplus)),
	F(code_consts, O(PyCodeObject, co_consts)),
	F(code_names, O(PyCodeObject, co_names)),
	F(code_exceptiontable, O(PyCodeObject, co_exceptiontable)),
	F(code_flags, O(PyCodeObject, co_flags)),
	F(code_argcount, O(PyCodeObject, co_argcount)),
	F(code_posonlyargcount, O(PyCodeObject, co_posonlyargcount)),
	F(code_kwonlyargcount, O(PyCodeObject, co_kwonlyargcount)),
	F(code_stacksize, O(PyCodeObject, co_stacksize)),
	F(code_firstlineno, O(PyCodeObject, co_firstlineno)),
	F(code_nlocalsplus, O(PyCodeObject, co_nlocalsplus)),
	F(code_nlocals, O(PyCodeObject, co_nlocals)),
	F(code_ncellvars, O(PyCodeObject, co_ncellvars)),
	F(code_nfreevars, O(PyCodeObject, co_nfreevars)),
	F(code_localsplusnames, O(PyCodeObject, co_localsplusnames)),
	F(code_localspluskinds, O(PyCodeObject, co_localspluskinds)),
	F(code_filename, O(PyCodeObject, co_filename)),
	F(code_name, O(PyCodeObject, co_name)),
	F(code_qualname, O(PyCodeObject, co_qualname)),
	F(code_linetable, O(PyCodeObject, co_linetable)),
	F(code_firsttraceable, O(PyCodeObject, _co_firsttraceable)),
	F(code_code, O(PyCodeObject, co_code_adaptive)),
	F(code_size, O(PyCodeObject, ob_base.ob_size)),
	F(type_name, O(PyTypeObject, tp_name)),
	F(type_basicsize, O(PyTypeObject, tp_basicsize)),
	F(type_itemsize, O(PyTypeObject, tp_itemsize)),
	F(type_flags, O(PyTypeObject, tp_flags)),
	F(type_dict, O(PyTypeObject, tp_dict)),
	F(type_dictoffset, O(PyTypeObject, tp_dictoffset)),
	F(type_base, O(PyTypeObject, tp_base)),
	F(type_mro, O(PyTypeObject, tp_mro)),
	F(type_members, O(PyTypeObject, tp_members)),
	F(heaptype_name, O(PyHeapTypeObject, ht_name)),
	F(heaptype_qualname, O(PyHeapTypeObject, ht_qualname)),
	F(heaptype_cached_keys, O(PyHeapTypeObject, ht_cached_keys)),
	F(heaptype_size, sizeof(PyHeapTypeObject)),
	F(long_size, O(PyLongObject, ob_base.ob_size)),
	F(long_digit, O(PyLongObject, ob_digit)),
	F(float_value, O(PyFloatObject, ob_fval)),
	F(complex_value, O(PyComplexObject, cval)),
	F(bytes_size, O(PyBytesObject, ob_base.ob_size)),
	F(bytes_data, O(PyBytesObject, ob_sval)),
	F(bytearray_size, O(PyByteArrayObject, ob_base.ob_size)),
	F(bytearray_start, O(PyByteArrayObject, ob_start)),
	F(str_length, O(PyASCIIObject, length)),
	F(str_hash, O(PyASCIIObject, hash)),
	F(str_state, O(PyASCIIObject, state)),
	F(str_ascii_data, sizeof(PyASCIIObject)),
	F(str_compact_data, sizeof(PyCompactUnicodeObject)),
	F(str_any, O(PyUnicodeObject, data.any)),
	F(list_size, O(PyListObject, ob_base.ob_size)),
	F(list_items, O(PyListObject, ob_item)),
	F(tuple_size, O(PyTupleObject, ob_base.ob_size)),
	F(tuple_items, O(PyTupleObject, ob_item)),
	F(set_used, O(PySetObject, used)),
	F(set_mask, O(PySetObject, mask)),
	F(set_table, O(PySetObject, table)),
	F(setentry_size, sizeof(setentry)),
	F(dict_used, O(PyDictObject, ma_used)),
	F(dict_keys, O(PyDictObject, ma_keys)),
	F(dict_values, O(PyDictObject, ma_values)),
	F(keys_log2_size, O(PyDictKeysObject, dk_log2_size)),
	F(keys_log2_index_bytes, O(PyDictKeysObject, dk_log2_index_bytes)),
	F(keys_kind, O(PyDictKeysObject, dk_kind)),
	F(keys_nentries, O(PyDictKeysObject, dk_nentries)),
	F(keys_indices, O(PyDictKeysObject, dk_indices)),
	F(cell_value, O(PyCellObject, ob_ref)),
	F(func_qualname, O(PyFunctionObject, func_qualname)),
	F(method_func, O(PyMethodObject, im_func)),
	F(cfunction_def, O(PyCFunctionObject, m_ml)),
	F(methoddef_name, O(PyMethodDef, ml_name)),
	F(module_name, O(PyModuleObject, md_name)),
	F(gen_qualname, O(PyGenObject, gi_qualname)),
	F(range_start, O(struct range_mirror, start)),
	F(slice_start, O(PySliceObject, start)),
	F(exc_args, O(PyBaseExceptionObject, args)),
	/* both lie before the garbage collector's two words (_PyObject_ValuesPointer) */
	F(object_values, 4 * sizeof(void *)),
	F(object_dict, 3 * sizeof(void *)),
};

int main(int argc, char **argv)
{
	const struct ctrec_layout *l = python_layout(3 << 8 | 11);
	size_t n = sizeof(entry) / sizeof(entry[0]);
	unsigned wrong = 0;

	(void)argv;
	if (argc > 1) {
		for (size_t i = 0; i < n; i++)
			printf("\t.%s = %u,\n", entry[i].name, entry[i].value);
		return 0;
	}
	/* every field of the struct but `python` (and what pads it) is in the list */
	if ((n + 2) * sizeof(ev_u16) > sizeof(*l) || (n + 4) * sizeof(ev_u16) < sizeof(*l)) {
		printf("the list has %zu fields, the struct %zu bytes\n", n, sizeof(*l));
		return 1;
	}
	for (size_t i = 0; l && i < n; i++) {
		ev_u16 has;

		memcpy(&has, (const char *)l + entry[i].at, sizeof(has));
		if (has == entry[i].value)
			continue;
		printf("%s is %u, the headers say %u\n", entry[i].name, has, entry[i].value);
		wrong++;
	}
	printf("layout 3.11: %zu fields, %u wrong\n", n, wrong);
	return !l || wrong;
}
