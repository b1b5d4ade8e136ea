# check, check-unit, bench, demo, install. Included at the end of the Makefile.
PREFIX ?= /usr/local
PYTHON ?= /usr/bin/python3
unit_bin := $(patsubst tests/unit/test_%.c,$(O)/tests/unit/test_%,$(wildcard tests/unit/test_*.c))
fuzz_bin := $(patsubst tests/fuzz/%.c,$(O)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz_obj := $(LIB_SRC:%.c=$(O)/tests/fuzz/lib/%.o)
# Folders with headers of a CPython of that minor version: pyenv's, the system's, and those
# of systems set up in folders (TEST_ROOTS="/srv/sid …", see docs/adding-a-python.md).
header_dirs = $(patsubst %/patchlevel.h,%,$(wildcard $(foreach r,$(HOME)/.pyenv/versions/3.$(1).* \
	/usr $(TEST_ROOTS:%=%/usr),$(r)/include/python3.$(1)/patchlevel.h)))
minors := 8 9 10 11 12 13 14
layout_names = $(foreach i,1 2 3 4,$(if $(word $(i),$(call header_dirs,$(1))),layout_offsets_3$(1)_$(i)))
layout_bin := $(foreach m,$(minors),$(addprefix $(O)/tests/unit/,$(call layout_names,$(m))))
FUZZ_FLAGS := -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined

# What the tests run, beside the product itself.
test_tools := $(O)/resolve_tool $(O)/inject_tool $(O)/tests/unit/inject_blob.bin $(layout_bin)
# Asked of the compiler itself: the runtime may be missing though clang is there.
have_fuzzer = $(shell mkdir -p $(O); echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return 0 * (d && n); }' | \
	$(CLANG) -fsanitize=fuzzer,address,undefined -x c - -o $(O)/.fuzzer-probe 2>/dev/null && echo yes; rm -f $(O)/.fuzzer-probe)

$(O)/tests/unit/test_%: tests/unit/test_%.c $(O)/libctrec.a
	$(call say,TEST,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(shell pkg-config --cflags check) $< $(O)/libctrec.a -o $@ $(SAN) $(ALL_LDLIBS) $(shell pkg-config --libs check)

# layout_offsets_MINOR_N: the N-th folder with headers of that version. A system's pyconfig.h
# includes one beside the folder, which must not hide this system's own headers.
define layout_rule
$(O)/tests/unit/layout_offsets_3$(1)_$(2): tests/unit/layout_offsets.c tests/unit/layout_entries.h $(O)/libctrec.a
	$$(call say,TEST,$(3))
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) -O1 -std=gnu11 -w -Iinclude -Idaemon -I$(3) -idirafter $(3)/.. $$< $(O)/libctrec.a -o $$@ $$(SAN) $$(ALL_LDLIBS)
endef
$(foreach m,$(minors),$(foreach i,1 2 3 4,$(if $(word $(i),$(call header_dirs,$(m))),\
	$(eval $(call layout_rule,$(m),$(i),$(word $(i),$(call header_dirs,$(m))))))))

$(O)/resolve_tool: tests/unit/resolve_tool.c $(O)/libctrec.a
	$(call say,TEST,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $< $(O)/libctrec.a -o $@ $(SAN) $(ALL_LDLIBS)

$(O)/inject_tool: tests/unit/inject_tool.c tests/unit/inject_blob.h $(O)/libctrec.a
	$(call say,TEST,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit $< $(O)/libctrec.a -o $@ $(SAN) $(ALL_LDLIBS)

# A page that counts, made as the real one is.
$(O)/tests/unit/inject_blob.bin: tests/unit/inject_blob.c tests/unit/inject_blob.ld tests/unit/inject_blob.h \
		daemon/page/page.h daemon/page/code/install.h
	$(call say,TEST,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(PAGE_CFLAGS) -Itests/unit -c $< -o $(@:.bin=.o)
	$(Q)$(LD) -T tests/unit/inject_blob.ld -o $(@:.bin=.elf) $(@:.bin=.o)
	$(Q)objcopy -O binary -j .text $(@:.bin=.elf) $@

$(O)/tests/fuzz/lib/%.o: %.c
	$(call say,FUZZ,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(filter-out -Werror $(SAN),$(ALL_CFLAGS)) -w $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -c $< -o $@

$(O)/tests/fuzz/lib/daemon/probe/capture.o: $(O)/bpf/recorder.skel.h

$(O)/tests/fuzz/libctrec.a: $(fuzz_obj)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/tests/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(O)/tests/fuzz/libctrec.a
	$(call say,FUZZ,$<)
	$(Q)$(CLANG) $(filter-out -Werror $(SAN),$(ALL_CFLAGS)) -w $(FUZZ_FLAGS) -fsanitize=fuzzer $< $(O)/tests/fuzz/libctrec.a -o $@ $(ALL_LDLIBS)

units: $(unit_bin) $(test_tools)

# The unit tests once more, in a build folder of their own: an address out of bounds, a leak or undefined behaviour ends them.
sanitized:
	$(Q)+$(MAKE) O=$(O)/asan ASAN=1 sanitized-tests

sanitized-tests: $(unit_bin)

fuzzers: $(fuzz_bin)

check-unit: all units
	$(Q)$(PYTHON) tests/run.py --build $(O) --only unit

# In steps of their own make: what `deps` installs is looked for afresh.
check: deps
	$(Q)+$(MAKE) all units
	$(Q)+$(MAKE) sanitized
	$(Q)+$(if $(have_fuzzer),$(MAKE) fuzzers,echo "check: CAN'T RUN HERE: fuzzers: clang's fuzzer runtime (libclang-rt) is missing")
	$(Q)$(PYTHON) tests/run.py --build $(O)

bench: all
	$(Q)$(PYTHON) tests/bench/bench.py --build $(O)

# 160 million events: minutes, and some GB in the temporary directory.
bench-long: all
	$(Q)$(PYTHON) tests/bench/long.py --build $(O)

demo: deps
	$(Q)+$(MAKE) all
	$(Q)packaging/demo.sh $(O)

install: all
	install -D -m 755 $(O)/ctrec $(DESTDIR)$(PREFIX)/bin/ctrec
	install -D -m 755 $(O)/ctrecd $(DESTDIR)$(PREFIX)/sbin/ctrecd
	for m in docs/*.1; do install -D -m 644 $$m $(DESTDIR)$(PREFIX)/share/man/man1/$${m##*/}; done
	for m in docs/*.8; do [ ! -e $$m ] || install -D -m 644 $$m $(DESTDIR)$(PREFIX)/share/man/man8/$${m##*/}; done
	install -D -m 644 LICENSE $(DESTDIR)$(PREFIX)/share/doc/ctrec/LICENSE
	install -D -m 644 README.md $(DESTDIR)$(PREFIX)/share/doc/ctrec/README.md

.PHONY: units sanitized sanitized-tests fuzzers check check-unit bench bench-long demo install
