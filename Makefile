# ctrec: make, make demo, make check, make bench, make install. V=1 shows commands, O=DIR builds elsewhere, ASAN=1 with sanitizers.
O ?= build
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),@:,@printf '  %-7s %s\n' $(1) $(2))

CC ?= gcc
CLANG ?= clang
BPFTOOL ?= $(or $(shell command -v bpftool 2>/dev/null),/usr/sbin/bpftool)
PKGS := libbpf libelf libzstd libcjson libxxhash libsystemd
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
ALL_CFLAGS = $(CFLAGS) -std=gnu11 $(WARN) -D_GNU_SOURCE -Iinclude -Idaemon -I. -I$(O) -MMD -MP -pthread \
	$(shell pkg-config --cflags $(PKGS)) -DCTREC_VERSION='"$(VERSION)"' $(SAN)
ALL_LDLIBS = $(shell pkg-config --libs $(PKGS)) -pthread
VERSION := 0.1.0
comma := ,
SAN := $(if $(ASAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)

# Everything but the two main programs is one archive, linked by layers.
LIB_SRC := $(filter-out daemon/main.c,$(wildcard daemon/*.c daemon/*/*.c))
CLI_SRC := $(wildcard cli/*.c)
lib_obj := $(LIB_SRC:%.c=$(O)/%.o)
cli_obj := $(CLI_SRC:%.c=$(O)/%.o)

all: $(O)/ctrec $(O)/ctrecd

$(O)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c $< -o $@

# BPF: types from the running kernel's BTF, relocated at load time (CO-RE).
$(O)/bpf/vmlinux.h:
	$(call say,BTF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)test -r /sys/kernel/btf/vmlinux || { echo "this kernel has no BTF (/sys/kernel/btf/vmlinux): ctrec can't be built here" >&2; exit 1; }
	$(Q)$(BPFTOOL) btf dump file /sys/kernel/btf/vmlinux format c > $@.tmp && mv $@.tmp $@

BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -Wall -Werror -Iinclude -I. -I$(O)/bpf
$(O)/bpf/recorder.bpf.o: bpf/recorder.bpf.c $(wildcard bpf/*.h) include/ctrec/event.h include/ctrec/layout.h $(O)/bpf/vmlinux.h
	$(call say,BPF,$<)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(O)/bpf/recorder.skel.h: $(O)/bpf/recorder.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name recorder_bpf > $@.tmp && mv $@.tmp $@

$(O)/daemon/probe/capture.o: $(O)/bpf/recorder.skel.h

# The probe page: code for the inside of a target, flat, without relocations or data.
PAGE_CFLAGS := -O2 -std=gnu11 -Wall -Wextra -Wno-sign-compare -Wno-unused-parameter -Werror -ffreestanding -fPIC \
	-fvisibility=hidden -mno-red-zone -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none \
	-fno-jump-tables -fno-strict-aliasing -Iinclude -Idaemon -I.
$(O)/page/page.o: daemon/page/code/page.c $(wildcard daemon/page/code/*.h daemon/page/*.h bpf/*.h) include/ctrec/event.h include/ctrec/layout.h
	$(call say,PAGE,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(PAGE_CFLAGS) -c $< -o $@

$(O)/page/page.bin: $(O)/page/page.o daemon/page/code/entry.S daemon/page/code/page.ld
	$(Q)$(CLANG) -c daemon/page/code/entry.S -o $(O)/page/entry.o
	$(Q)$(LD) -T daemon/page/code/page.ld -o $(O)/page/page.elf $(O)/page/entry.o $<
	$(Q)! readelf -r $(O)/page/page.elf | grep -q R_X86 || { echo "the page has relocations"; exit 1; }
	$(Q)objcopy -O binary -j .text $(O)/page/page.elf $@

# As an object with the symbols page_blob and page_blob_end.
$(O)/page/blob.o: $(O)/page/page.bin
	$(Q)printf '.section .rodata\n.balign 16\n.globl page_blob, page_blob_end\npage_blob: .incbin "%s"\npage_blob_end:\n.section .note.GNU-stack,"",@progbits\n' $< >$(O)/page/blob.S
	$(Q)$(CC) -c $(O)/page/blob.S -o $@

$(O)/libctrec.a: $(lib_obj) $(O)/page/blob.o
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/ctrec: $(cli_obj) $(O)/libctrec.a
	$(call say,LD,$@)
	$(Q)$(CC) $(SAN) $(LDFLAGS) $^ -o $@ $(ALL_LDLIBS)

$(O)/ctrecd: $(O)/daemon/main.o $(O)/libctrec.a
	$(call say,LD,$@)
	$(Q)$(CC) $(SAN) $(LDFLAGS) $^ -o $@ $(ALL_LDLIBS)

clean:
	rm -rf $(O)

.PHONY: all clean

include packaging/deps.mk tests/tests.mk
-include $(shell find $(O) -name '*.d' 2>/dev/null)
