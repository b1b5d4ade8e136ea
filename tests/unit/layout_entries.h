/* SPDX-License-Identifier: MIT */
/* layout_entries.h: the list of layout_offsets.c, one line a field; V is the minor version. */

	/* shapes */
#if V < 11
	K(frame_kind, CTL_FRAME_OBJECT),
	K(keys_form, CTL_KEYS_SIZE),
	K(code_form, CTL_CODE_BYTES),
	K(instance_kind, CTL_INSTANCE_PLAIN),
#else
	K(frame_kind, CTL_FRAME_INTERP),
	K(keys_form, CTL_KEYS_LOG2),
	K(code_form, CTL_CODE_INLINE),
#if V < 12
	K(instance_kind, CTL_INSTANCE_BEFORE),
#elif V < 13
	K(instance_kind, CTL_INSTANCE_TAGGED),
#else
	K(instance_kind, CTL_INSTANCE_INLINE),
#endif
#endif
#if V < 10
	K(lasti_kind, CTL_LASTI_BYTES),
	K(stack_kind, CTL_STACK_ABSENT),
#elif V < 11
	K(lasti_kind, CTL_LASTI_UNITS),
	K(stack_kind, CTL_STACK_DEPTH),
#elif V < 13
	K(lasti_kind, CTL_LASTI_PREV),
	K(stack_kind, CTL_STACK_INDEX),
#else
	K(lasti_kind, CTL_LASTI_CURRENT),
#if V < 14
	K(stack_kind, CTL_STACK_INDEX),
#else
	K(stack_kind, CTL_STACK_POINTER),
#endif
#endif
#if V < 12
	K(long_kind, CTL_LONG_SIZE),
#else
	K(long_kind, CTL_LONG_TAG),
#endif

	/* the runtime, interpreters, threads */
#if V < 11
	F(runtime_small_ints, 0),
	F(small_int_size, 0),
#elif V < 12
	F(runtime_small_ints, O(_PyRuntimeState, global_objects.singletons.small_ints)),
	F(small_int_size, sizeof(PyLongObject)),
#else
	F(runtime_small_ints, O(_PyRuntimeState, static_objects.singletons.small_ints)),
	F(small_int_size, sizeof(PyLongObject)),
#endif
	F(runtime_interpreters_head, O(_PyRuntimeState, interpreters.head)),
	F(runtime_interpreters_main, O(_PyRuntimeState, interpreters.main)),
#if V < 12
	F(runtime_tstate_current, O(_PyRuntimeState, gilstate.tstate_current)),
	F(runtime_gil, O(_PyRuntimeState, ceval.gil)),
	F(interp_gil, 0),
	F(gil_to_pending_lock, 0),
#else
	F(runtime_tstate_current, 0),
	F(runtime_gil, 0),
	F(interp_gil, O(PyInterpreterState, ceval.gil)),
#if V < 13
	F(gil_to_pending_lock, O(PyInterpreterState, ceval.pending.lock) - O(PyInterpreterState, ceval.gil)),
#else
	F(gil_to_pending_lock, O(PyInterpreterState, ceval.pending.mutex) - O(PyInterpreterState, ceval.gil)),
#endif
#endif
	F(gil_last_holder, O(struct _gil_runtime_state, last_holder)),
	F(gil_locked, O(struct _gil_runtime_state, locked)),
	F(gil_mutex, O(struct _gil_runtime_state, mutex)),
	F(interp_next, O(PyInterpreterState, next)),
#if V < 11
	F(interp_threads_head, O(PyInterpreterState, tstate_head)),
#else
	F(interp_threads_head, O(PyInterpreterState, threads.head)),
#endif
	F(interp_id, O(PyInterpreterState, id)),
	F(tstate_prev, O(PyThreadState, prev)),
	F(tstate_next, O(PyThreadState, next)),
	F(tstate_interp, O(PyThreadState, interp)),
	F(tstate_thread_id, O(PyThreadState, thread_id)),
#if V < 11
	F(tstate_native_thread_id, 0),
	F(tstate_frame, O(PyThreadState, frame)),
	F(cframe_current_frame, 0),
#else
	F(tstate_native_thread_id, O(PyThreadState, native_thread_id)),
#if V < 13
	F(tstate_frame, 0),
	F(cframe_current_frame, O(_PyCFrame, current_frame)),
#else
	F(tstate_frame, O(PyThreadState, current_frame)),
	F(cframe_current_frame, 0),
#endif
#endif
#if V > 9 && V < 13
	F(tstate_cframe, O(PyThreadState, cframe)),
#else
	F(tstate_cframe, 0),
#endif
#if V < 12
	F(tstate_curexc_type, O(PyThreadState, curexc_type)),
	F(tstate_curexc_value, O(PyThreadState, curexc_value)),
	F(tstate_current_exception, 0),
#else
	F(tstate_curexc_type, 0),
	F(tstate_curexc_value, 0),
	F(tstate_current_exception, O(PyThreadState, current_exception)),
#endif
	F(tstate_tracing, O(PyThreadState, tracing)),
	F(tstate_c_tracefunc, O(PyThreadState, c_tracefunc)),
	F(tstate_c_traceobj, O(PyThreadState, c_traceobj)),
#if V < 10
	F(tstate_use_tracing, O(PyThreadState, use_tracing)),
#else
	F(tstate_use_tracing, 0),
#endif
#if V == 10
	F(cframe_use_tracing, O(CFrame, use_tracing)),
#elif V == 11
	F(cframe_use_tracing, O(_PyCFrame, use_tracing)),
#else
	F(cframe_use_tracing, 0),
#endif
#if V == 8
	F(runtime_tracing_possible, O(_PyRuntimeState, ceval.tracing_possible)),
#else
	F(runtime_tracing_possible, 0),
#endif
#if V == 9
	F(interp_tracing_possible, O(PyInterpreterState, ceval.tracing_possible)),
#else
	F(interp_tracing_possible, 0),
#endif

	/* frames */
	F(frame_globals, O(FRAME, f_globals)),
	F(frame_builtins, O(FRAME, f_builtins)),
	F(frame_locals, O(FRAME, f_locals)),
#if V < 11
	F(frame_func, 0),
	F(frame_code, O(FRAME, f_code)),
	F(frame_frame_obj, 0),
	F(frame_previous, O(FRAME, f_back)),
	F(frame_prev_instr, O(FRAME, f_lasti)),
	F(frame_valuestack, O(FRAME, f_valuestack)),
	F(frame_localsplus, O(FRAME, f_localsplus)),
	F(frame_owner, 0),
	F(frame_gen, O(FRAME, f_gen)),
	F(frameobj_frame, 0),
#if V < 10
	F(frame_stacktop, O(FRAME, f_stacktop)),
#else
	F(frame_stacktop, O(FRAME, f_stackdepth)),
#endif
#else
#if V < 12
	F(frame_func, O(FRAME, f_func)),
#else
	F(frame_func, O(FRAME, f_funcobj)),
#endif
#if V < 13
	F(frame_code, O(FRAME, f_code)),
	F(frame_prev_instr, O(FRAME, prev_instr)),
#else
	F(frame_code, O(FRAME, f_executable)),
	F(frame_prev_instr, O(FRAME, instr_ptr)),
#endif
	F(frame_frame_obj, O(FRAME, frame_obj)),
	F(frame_previous, O(FRAME, previous)),
	F(frame_valuestack, 0),
#if V < 14
	F(frame_stacktop, O(FRAME, stacktop)),
#else
	F(frame_stacktop, O(FRAME, stackpointer)),
#endif
	F(frame_localsplus, O(FRAME, localsplus)),
	F(frame_owner, O(FRAME, owner)),
	F(frame_gen, 0),
	F(frameobj_frame, O(PyFrameObject, f_frame)),
#endif
#if V < 12
	F(frame_owner_none, 0),
#elif V < 14
	F(frame_owner_none, FRAME_OWNED_BY_CSTACK),
#else
	F(frame_owner_none, FRAME_OWNED_BY_INTERPRETER),
#endif
#if V < 14
	F(frame_ref_mask, 0),
#else
	F(frame_ref_mask, Py_TAG_BITS),
#endif

	/* code objects */
	F(code_consts, O(PyCodeObject, co_consts)),
	F(code_names, O(PyCodeObject, co_names)),
	F(code_flags, O(PyCodeObject, co_flags)),
	F(code_argcount, O(PyCodeObject, co_argcount)),
	F(code_posonlyargcount, O(PyCodeObject, co_posonlyargcount)),
	F(code_kwonlyargcount, O(PyCodeObject, co_kwonlyargcount)),
	F(code_stacksize, O(PyCodeObject, co_stacksize)),
	F(code_firstlineno, O(PyCodeObject, co_firstlineno)),
	F(code_nlocals, O(PyCodeObject, co_nlocals)),
	F(code_filename, O(PyCodeObject, co_filename)),
	F(code_name, O(PyCodeObject, co_name)),
#if V < 10
	F(code_linetable, O(PyCodeObject, co_lnotab)),
#else
	F(code_linetable, O(PyCodeObject, co_linetable)),
#endif
#if V < 11
	F(code_exceptiontable, 0),
	F(code_nlocalsplus, 0),
	F(code_ncellvars, 0),
	F(code_nfreevars, 0),
	F(code_localsplusnames, 0),
	F(code_localspluskinds, 0),
	F(code_varnames, O(PyCodeObject, co_varnames)),
	F(code_cellvars, O(PyCodeObject, co_cellvars)),
	F(code_freevars, O(PyCodeObject, co_freevars)),
	F(code_cell2arg, O(PyCodeObject, co_cell2arg)),
	F(code_qualname, 0),
	F(code_firsttraceable, 0),
	F(code_code, O(PyCodeObject, co_code)),
	F(code_size, 0),
	F(code_basicsize, sizeof(PyCodeObject)),
#else
	F(code_exceptiontable, O(PyCodeObject, co_exceptiontable)),
	F(code_nlocalsplus, O(PyCodeObject, co_nlocalsplus)),
	F(code_ncellvars, O(PyCodeObject, co_ncellvars)),
	F(code_nfreevars, O(PyCodeObject, co_nfreevars)),
	F(code_localsplusnames, O(PyCodeObject, co_localsplusnames)),
	F(code_localspluskinds, O(PyCodeObject, co_localspluskinds)),
	F(code_varnames, 0),
	F(code_cellvars, 0),
	F(code_freevars, 0),
	F(code_cell2arg, 0),
	F(code_qualname, O(PyCodeObject, co_qualname)),
	F(code_firsttraceable, O(PyCodeObject, _co_firsttraceable)),
	F(code_code, O(PyCodeObject, co_code_adaptive)),
	F(code_size, O(PyCodeObject, ob_base.ob_size)),
	F(code_basicsize, O(PyCodeObject, co_code_adaptive)),
#endif
#if V < 12
	F(code_monitoring, 0),
	F(monitoring_lines, 0),
	F(monitoring_opcodes, 0),
#else
	F(code_monitoring, O(PyCodeObject, _co_monitoring)),
	F(monitoring_lines, O(_PyCoMonitoringData, lines)),
	F(monitoring_opcodes, O(_PyCoMonitoringData, per_instruction_opcodes)),
#endif

	/* types */
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

	/* objects */
#if V < 12
	F(long_size, O(PyLongObject, ob_base.ob_size)),
	F(long_digit, O(PyLongObject, ob_digit)),
#else
	F(long_size, O(PyLongObject, long_value.lv_tag)),
	F(long_digit, O(PyLongObject, long_value.ob_digit)),
#endif
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
	F(str_kind_shift, 0), /* bit fields have no offset: see bits() */
	F(str_compact_shift, 0),
	F(str_ascii_shift, 0),
	F(list_size, O(PyListObject, ob_base.ob_size)),
	F(list_items, O(PyListObject, ob_item)),
	F(tuple_size, O(PyTupleObject, ob_base.ob_size)),
	F(tuple_items, O(PyTupleObject, ob_item)),
	F(set_used, O(PySetObject, used)),
	F(set_mask, O(PySetObject, mask)),
	F(set_table, O(PySetObject, table)),
	F(setentry_size, sizeof(setentry)),
	F(setentry_hash, O(setentry, hash)),
	F(dict_used, O(PyDictObject, ma_used)),
	F(dict_keys, O(PyDictObject, ma_keys)),
	F(dict_values, O(PyDictObject, ma_values)),
	F(keys_nentries, O(struct _dictkeysobject, dk_nentries)),
	F(keys_indices, O(struct _dictkeysobject, dk_indices)),
#if V < 11
	F(keys_size, O(struct _dictkeysobject, dk_size)),
	F(keys_log2_size, 0),
	F(keys_log2_index_bytes, 0),
	F(keys_kind, 0),
	F(values_first, 0),
#else
	F(keys_size, 0),
	F(keys_log2_size, O(struct _dictkeysobject, dk_log2_size)),
	F(keys_log2_index_bytes, O(struct _dictkeysobject, dk_log2_index_bytes)),
	F(keys_kind, O(struct _dictkeysobject, dk_kind)),
	F(values_first, O(struct _dictvalues, values)),
#endif
#if V < 13
	F(values_valid, 0),
#else
	F(values_valid, O(struct _dictvalues, valid)),
#endif
	F(cell_value, O(PyCellObject, ob_ref)),
	F(func_code, O(PyFunctionObject, func_code)),
	F(func_name, O(PyFunctionObject, func_name)),
	F(func_qualname, O(PyFunctionObject, func_qualname)),
	F(method_func, O(PyMethodObject, im_func)),
	F(method_self, O(PyMethodObject, im_self)),
	F(cfunction_def, O(PyCFunctionObject, m_ml)),
	F(methoddef_name, O(PyMethodDef, ml_name)),
	F(module_name, O(PyModuleObject, md_name)),
	F(module_dict, O(PyModuleObject, md_dict)),
	F(gen_name, O(PyGenObject, gi_name)),
	F(gen_qualname, O(PyGenObject, gi_qualname)),
#if V < 11
	F(gen_frame, O(PyGenObject, gi_frame)),
	F(gen_frame_state, 0),
	F(gen_state_cleared, 0),
#else
	F(gen_frame, O(PyGenObject, gi_iframe)),
	F(gen_frame_state, O(PyGenObject, gi_frame_state)),
	F(gen_state_cleared, FRAME_CLEARED),
#endif
	F(range_start, O(struct range_mirror, start)),
	F(slice_start, O(PySliceObject, start)),
	F(exc_args, O(PyBaseExceptionObject, args)),
	/* before the garbage collector's two words: _PyObject_ValuesPointer, _PyObject_DictOrValuesPointer,
	 * _PyObject_ManagedDictPointer */
	F(object_values, V == 11 ? 4 * sizeof(void *) : 0),
	F(object_dict, V > 10 ? 3 * sizeof(void *) : 0),
