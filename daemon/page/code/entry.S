/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* entry.S: struct page_entry, the first bytes of the page (page.h). */
	.section .entry, "ax"
	.globl page_base
	.hidden page_base, page_end, page_tracefunc, page_install_entry, page_uninstall_entry
page_base:
	.quad 0x3165676170636572
	.long page_end - page_base
	.long page_tracefunc - page_base
	.long page_install_entry - page_base
	.long page_uninstall_entry - page_base
	.section .note.GNU-stack, "", @progbits
